"""The command line: `python -m aiopenai`."""

from __future__ import annotations

import sys

from aiopenai._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
