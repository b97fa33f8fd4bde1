"""`python -m compare.testing DIRECTORY …` is `python -m compare …` with the strategies of another directory."""

import sys
from pathlib import Path

import catalogue
from compare import __main__

if __name__ == "__main__":
    catalogue.ROOT = Path(sys.argv.pop(1))
    sys.exit(__main__.main())
