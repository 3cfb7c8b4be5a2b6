"""The command ``cosim``, as ``python -m cosim``."""

from cosim.cli.start import main

if __name__ == "__main__":
    main()
