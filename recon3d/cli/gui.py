"""`recon3d gui`: the desktop program."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.core.errors import ReconError
from recon3d.run.task import CancelToken


@dataclass(frozen=True, kw_only=True)
class Gui(Command):
    """Open the desktop program: drop photos, watch the model appear, save it.

    recon3d gui
    recon3d gui chair.r3d
    """

    project: Annotated[Positional[Path | None], arg(metavar="PROJECT")] = None
    """What to open: a project (.r3d), a workspace (.recon3d), a folder of photos, or a mesh."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Show the window until it is closed.

        Raises:
            ReconError: there is no screen, or the project does not exist.
        """
        if self.project and not self.project.exists():
            raise ReconError(
                f"{self.project} does not exist.", hint="Check the spelling of the path."
            )
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise ReconError(
                "There is no screen for a window: the variable DISPLAY is not set.",
                hint="Run this on a desktop, or use `recon3d mesh`, which does the same work.",
            )
        from recon3d_gui.app import main

        main(self.project)
