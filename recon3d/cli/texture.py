"""`recon3d texture`: the photos of a finished run on a mesh of one's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, UseAppendAction, arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.config import Config
from recon3d.export.export import Outputs
from recon3d.export.textures import ExportConfig
from recon3d.run.task import CancelToken
from recon3d.texture.texture import TextureConfig


@dataclass(frozen=True, kw_only=True)
class Texture(Command):
    """Paint a mesh that you edited or built anew with the photos of a finished run.

    recon3d texture church.recon3d retopo.obj -o painted.glb. Start from a model that recon3d
    wrote and leave it where it stands; edit it in Blender or elsewhere.
    """

    supervised: ClassVar[bool] = True

    workspace: Positional[Path]
    """The folder ending in .recon3d."""
    mesh: Annotated[Positional[Path], arg(metavar="MESH")]
    """The mesh to paint: .obj, .ply, .glb, .gltf, .stl, .off or .3mf. Its own textures are not
    looked at; polygons become triangles."""
    output: Annotated[UseAppendAction[tuple[Path, ...]], arg(aliases=["-o"])] = ()
    """File to write: .glb, .obj or .usdz with the texture, .ply or .3mf with the colours of the
    vertices. Repeat it for more than one. Default: the mesh's name and _textured.glb."""
    keep_uv: bool = False
    """Keep the UV layout of the mesh, so that the pictures beside an .obj also fit your own file.
    It must lie in the square from 0 to 1 without overlaps; each material gets a page. Without it
    a layout is made."""
    texture: TextureConfig = field(default_factory=TextureConfig)
    export: ExportConfig = field(default_factory=ExportConfig)

    @property
    def log_folder(self) -> Path:
        """The workspace."""
        return self.workspace

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Paint it and write it."""
        from recon3d.api import paint
        from recon3d.texture.texture import read_numbers

        target = self.output or (Path(f"{self.mesh.stem}_textured.glb"),)
        results = paint(
            self.mesh,
            self.workspace,
            Config(texture=self.texture, export=self.export),
            keep_uv=self.keep_uv,
            outputs=Outputs(meshes=target),
            listener=display,
            cancel=cancel,
        )
        assert results.textured
        numbers = read_numbers(results.textured.folder)
        seen, pages, side = (numbers[name] for name in ("seen", "page_count", "page_px"))
        written = [str(path) for path in results.written]
        lines = [
            f"Texture:  {pages} x {side} x {side} px, {seen:.0%} of the surface seen by photos",
            *(f"Written:  {path}" for path in written),
            *(["Warnings:"] if results.warnings else []),
            *(f"  {warning}" for warning in results.warnings),
        ]
        content = {"written": written, "seen": seen, "warnings": results.warnings}
        display.result(content, "\n".join(lines))
