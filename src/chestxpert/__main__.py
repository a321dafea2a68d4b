"""`python -m chestxpert`: the command line."""

import sys

from chestxpert.cli.main import main

# The guard matters: worker processes that are started afresh import this file under another name.
if __name__ == "__main__":
    sys.exit(main())
