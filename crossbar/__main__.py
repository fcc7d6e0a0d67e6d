"""`python -m crossbar` is the command `crossbar`."""

import sys

from crossbar.cli import main

if __name__ == "__main__":
    sys.exit(main())
