"""The command's first steps: signals are heard before anything that takes time is imported."""

from .signals import listen


def main() -> None:
    """Entry point of the ``cosim`` command."""
    listen()
    from .app import main as run

    run()
