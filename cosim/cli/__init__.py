"""The command line ``cosim``."""

from .app import main

__all__ = ["main"]
