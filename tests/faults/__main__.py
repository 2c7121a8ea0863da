"""`python -m tests.faults`. A module of this name alone is not imported again by each process that is started."""

import sys

from .soak import main

if __name__ == "__main__":
    sys.exit(main())
