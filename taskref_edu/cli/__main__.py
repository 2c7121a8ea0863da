"""The `taskref` command, as `python -m taskref_edu.cli`."""

import sys

from .command import main

sys.exit(main())
