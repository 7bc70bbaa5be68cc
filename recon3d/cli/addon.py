"""`recon3d addon`: recon3d in Blender's sidebar."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.core.errors import ConfigError
from recon3d.run.task import CancelToken


@dataclass(frozen=True, kw_only=True)
class Addon(Command):
    """Write the add-on with which Blender (4.2 or newer) builds models itself, in its sidebar.

    recon3d addon -o recon3d_blender.zip; then in Blender: Preferences > Add-ons > Install from
    Disk. It starts the recon3d that wrote it.
    """

    output: Annotated[Path, arg(aliases=["-o"])] = Path("recon3d_blender.zip")
    """The .zip to write."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Write it.

        Raises:
            ConfigError: another ending than .zip.
            OutputError: the file cannot be written.
        """
        from recon3d.export.blender_addon import write_addon

        if self.output.suffix.lower() != ".zip":
            raise ConfigError(f"{self.output} does not end in .zip, as Blender wants it.")
        write_addon(self.output, [sys.executable, "-m", "recon3d"])
        display.result(
            {"written": [str(self.output)]},
            f"Written:  {self.output}\n"
            "In Blender: Edit > Preferences > Add-ons > Install from Disk; then press N in the 3D "
            "view and choose recon3d.",
        )
