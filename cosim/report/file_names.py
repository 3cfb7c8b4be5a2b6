"""Names of files by which a folder of results is known."""

EVALUATION = "evaluation.json"
"""The answer of ``cosim evaluate`` in the folder that it writes."""
