"""`python -m compare.testing DIRECTORY …` is `python -m compare …` with the strategies of another directory."""

import sys
from pathlib import Path

from compare import __main__, strategies

if __name__ == "__main__":
    strategies.ROOT = Path(sys.argv.pop(1))
    sys.exit(__main__.main())
