"""`python -m recon3d` is the same as `recon3d`."""

import sys

from recon3d.cli import main

if __name__ == "__main__":
    sys.exit(main())
