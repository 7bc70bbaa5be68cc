"""`recon3d share`: a finished model as one HTML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command, OptionalPath
from recon3d.core.errors import InputError
from recon3d.export.export import Outputs, check_outputs
from recon3d.export.textures import ExportConfig
from recon3d.run.task import CancelToken, Task


@dataclass(frozen=True, kw_only=True)
class Share(Command):
    """Make one HTML file of a finished model, to send by mail: any browser opens it, offline.

    recon3d share church.recon3d -o church.html
    """

    supervised: ClassVar[bool] = True

    model: Positional[Path]
    """The folder ending in .recon3d, a project (.r3d), or a .glb, which brings no photos and no
    known scale."""
    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """The .html to write. Default: called after the model, in this folder."""
    export: ExportConfig = field(
        default_factory=lambda: ExportConfig(texture_format="webp", texture_quality=85)
    )

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Write it."""
        target = self.output or Path(f"{self.model.resolve().stem}.html")
        outputs = Outputs(page=target)
        check_outputs(outputs)
        task = Task("export", display, cancel)
        if self.model.suffix.lower() == ".glb":
            self._share_glb(target, task)
        else:
            self._share_run(outputs, task)
        size = f"{target.stat().st_size / 1e6:.1f} MB"
        display.result({"written": [str(target)]}, f"Written:  {target} ({size})")

    def _share_glb(self, target: Path, task: Task) -> None:
        from recon3d.export.share import write_glb_page

        task.step(0, 1, target.name)
        write_glb_page(target, self.model, task.check)
        task.step(1, 1)

    def _share_run(self, outputs: Outputs, task: Task) -> None:
        from recon3d.finished import reopen
        from recon3d.outputs import write_outputs

        workspace = self._workspace()
        results = reopen(workspace)
        if not results.surface:
            raise InputError(
                f"The latest run in {workspace} ended before there was a surface.",
                hint="Run `recon3d mesh` with this --workspace; what is finished stays.",
            )
        write_outputs(results, outputs, self.export, task)

    def _workspace(self) -> Path:
        if self.model.suffix.lower() != ".r3d":
            return self.model
        from recon3d_gui.project.file import read_project

        return read_project(self.model).project.workspace
