"""Names of files by which a folder is known."""

EVALUATION = "evaluation.json"
"""The answer of ``cosim evaluate`` in the folder that it writes."""
