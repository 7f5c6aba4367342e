"""`python -m colorizer`: see `colorizer.commands.colorize`."""

import sys

from .commands.colorize import main

if __name__ == "__main__":
    sys.exit(main())
