"""`recon3d export`: files of a finished run, without computing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from tyro.conf import Positional, UseAppendAction, arg

from recon3d.cli.display import Display
from recon3d.cli.options import NO_DEFAULT, Command, OptionalPath
from recon3d.core.errors import InputError
from recon3d.export.export import Outputs, check_outputs
from recon3d.export.meshes import LAS_SUFFIXES
from recon3d.export.textures import ExportConfig
from recon3d.run.task import CancelToken, Task

_FOLDERS: Mapping[str, str] = {
    "blender": "blender",
    "colmap": "colmap",
    "nerfstudio": "transforms",
    "depth": "depth_maps",
}
"""Words for --to, and the field of Outputs that each fills."""


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """Write files of a finished run again, in other formats; its photos are not needed.

    recon3d export church.recon3d --to blender; or --to church.usdz.
    """

    supervised: ClassVar[bool] = True

    workspace: Positional[Path]
    """The folder ending in .recon3d."""
    to: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="WHAT")] = ()
    """blender (a folder that opens with cameras and photos), colmap, nerfstudio, depth, a mesh to
    write, such as scene.glb, or a point cloud, cloud.las or cloud.laz. Repeat it for more than
    one."""
    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """Folder to write to; of several kinds of folder each gets one of its own in it. Default: files
    go here, folders are called after the workspace and the kind, such as church_blender."""
    crs: Annotated[str | None, NO_DEFAULT] = None
    """Short for --export.crs: coordinate reference system of .las and .laz, such as EPSG:25832."""
    export: ExportConfig = field(default_factory=ExportConfig)

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Write them."""
        from recon3d.finished import reopen
        from recon3d.outputs import write_outputs

        results = reopen(self.workspace)
        outputs = self.outputs
        for wanted, made, what in (
            (outputs.meshes or outputs.cloud, results.surface, "a surface"),
            (outputs.depth_maps, results.depth, "depth"),
        ):
            if wanted and not made:
                raise InputError(
                    f"The latest run in {self.workspace} ended before there was {what}.",
                    hint="Run `recon3d mesh` with this --workspace; what is finished stays.",
                )
        check_outputs(outputs)
        task = Task("export", display, cancel)
        if outputs.blender and not results.surface:
            task.warn("The run made no surface, so there are only cameras, photos and points.")
        elif outputs.hold_texture and not results.textured:
            task.warn(
                "The run made no texture, so the model gets the colours of its vertices; "
                "`recon3d mesh` with -o scene.glb makes one."
            )
        config = self.export if self.crs is None else replace(self.export, crs=self.crs)
        written = [str(path) for path in write_outputs(results, outputs, config, task)]
        lines = [f"Written:  {path}" for path in written]
        display.result({"written": written}, "\n".join(lines))

    @property
    def outputs(self) -> Outputs:
        """What to write.

        Raises:
            InputError: --to is missing or names something unknown.
        """
        if not self.to:
            raise InputError(
                "Nothing to write was named.",
                hint=f"Add --to with {', '.join(_FOLDERS)}, or a file, such as scene.glb.",
            )
        files = [(self.output or Path()) / name for name in self.to if Path(name).suffix]
        clouds = [path for path in files if path.suffix.lower() in LAS_SUFFIXES]
        if len(clouds) > 1:
            raise InputError("--to names two point clouds.", hint="Write one at a time.")
        kinds = [name for name in self.to if not Path(name).suffix]
        for kind in kinds:
            if kind not in _FOLDERS:
                raise InputError(
                    f"There is no export to {kind}.",
                    hint=f"Choose {', '.join(_FOLDERS)}, or name a file, such as scene.glb.",
                )
        folders: dict[str, Any] = {}
        for kind in kinds:
            if self.output is None:
                # The bare name is often that of the folder of photos.
                place = Path(f"{self.workspace.resolve().stem}_{kind}")
            else:
                place = self.output if len(kinds) == 1 else self.output / kind
            folders[_FOLDERS[kind]] = place / "transforms.json" if kind == "nerfstudio" else place
        meshes = tuple(path for path in files if path not in clouds)
        return replace(Outputs(meshes=meshes, cloud=next(iter(clouds), None)), **folders)
