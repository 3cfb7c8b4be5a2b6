"""The command ``cosim``, as ``python -m cosim``."""

from cosim.cli.signals import main

if __name__ == "__main__":
    main()
