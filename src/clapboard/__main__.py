"""``python -m clapboard``: the same as the command ``clapboard``."""

import sys

from clapboard.cli import main

if __name__ == "__main__":
    sys.exit(main())
