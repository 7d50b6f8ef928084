"""What `python -m lib.cli` runs."""

import sys

from lib.cli import main

if __name__ == "__main__":
    sys.exit(main())
