"""What `recon3d` runs first; light, so that Ctrl-C and a lack of memory are met from here on."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from recon3d.cli.exit_codes import CANCELLED, FAILED
from recon3d.core.errors import is_lack_of_memory


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code.

    0 done, 1 the photos, files or settings do not allow it, 2 wrong usage, 130 cancelled.
    """
    for stream in (sys.stdout, sys.stderr):
        # A pipe of Windows may lack the letters of a language.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        from recon3d.cli.dispatch import dispatch

        return dispatch(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return CANCELLED
    except Exception as error:
        if not is_lack_of_memory(error):
            raise
        # Whatever could say it more finely may be what there was no memory for.
        sys.stderr.write("Error: There is not enough memory to start.\n")  # no memory for others
        sys.stderr.write("Close other programs, or raise the limit (`ulimit -v`).\n")
        return FAILED
