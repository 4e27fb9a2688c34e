"""`python -m deltalakedb` is `deltalakedb`."""

from __future__ import annotations

import sys

from .cli import main

# Guarded, because the processes of a parallel batch import this module anew.
if __name__ == "__main__":
    sys.exit(main())
