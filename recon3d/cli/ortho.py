"""`recon3d ortho`: an orthophoto and an elevation model of a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import NO_DEFAULT, Command, OptionalPath
from recon3d.core.errors import InputError
from recon3d.run.task import CancelToken, Task

if TYPE_CHECKING:
    from recon3d.export.orthophoto import Sheet
    from recon3d.results import Results

Plane = tuple[float, float, float, float, float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Ortho(Command):
    """Draw a finished model straight from above, as a GeoTIFF; its heights too.

    recon3d ortho field.recon3d -o field.tif --dem heights.tif --gsd 0.02
    """

    supervised: ClassVar[bool] = True

    workspace: Positional[Path]
    """The folder ending in .recon3d."""
    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """GeoTIFF to write. Default: the workspace's name and _ortho.tif."""
    dem: OptionalPath = None
    """GeoTIFF to write the heights to: of the surface, with trees and roofs."""
    gsd: Annotated[float | None, NO_DEFAULT] = None
    """Metres along the side of a pixel. Default: what a pixel of a typical photo covers."""
    crs: Annotated[str | None, NO_DEFAULT] = None
    """Coordinate reference system, such as EPSG:25832. Default: that of the ground control points;
    with GPS alone the UTM zone."""
    plane: Annotated[Plane | None, NO_DEFAULT] = None
    """Draw a wall instead, from the front: its lower left corner, its lower right one and one
    above, nine numbers as in the exported model (the z-up formats)."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Draw it."""
        from recon3d.export.orthophoto import check_geotiff, write_orthophoto
        from recon3d.finished import reopen
        from recon3d.results import latest_surface

        target = self.output or Path(f"{self.workspace.resolve().stem}_ortho.tif")
        targets = [target, *([self.dem] if self.dem else [])]
        check_geotiff(targets)
        if self.gsd is not None and not 0 < self.gsd < 1000:
            raise InputError(f"--gsd is {self.gsd:g}, but must be metres above 0.")
        made, task = reopen(self.workspace), Task("ortho", display, cancel)
        if not (made.posed and made.frame and made.surface):
            raise InputError(
                f"The latest run in {self.workspace} ended before there was a surface.",
                hint="Run `recon3d mesh` with this --workspace; what is finished stays.",
            )
        if not made.textured:
            task.warn(
                "The run made no texture, so the orthophoto has the colours of the vertices, which "
                "are coarser; `recon3d mesh` with -o scene.glb makes one."
            )
        sheet = self._sheet(made, task)
        model = made.textured.value if made.textured else latest_surface(made)[0]
        write_orthophoto(target, self.dem, model, sheet, task)
        content = {
            "written": [str(path) for path in targets],
            "crs": sheet.crs,
            "gsd": sheet.gsd,
            "size_px": [sheet.width_px, sheet.height_px],
        }
        lines = [f"Written:  {path}" for path in targets]
        lines.append(f"Size:     {sheet.width_px} x {sheet.height_px} pixels of {sheet.gsd:.4g}")
        lines.append(f"System:   {sheet.crs or 'local coordinates'}")
        display.result(content, "\n".join(lines))

    def _sheet(self, made: Results, task: Task) -> Sheet:
        """What is drawn: the ground in the coordinates of the earth, as far as known, or a wall."""
        import numpy as np

        from recon3d.export.orthophoto import (
            ground_sampling_distance,
            lay_sheet,
            wall_from_target,
        )
        from recon3d.georef.georeference import NOWHERE, in_crs
        from recon3d.results import latest_surface

        assert made.posed
        assert made.frame
        vertices, frame = latest_surface(made)[0].vertices.astype(np.float64), made.frame.value
        moved, crs = frame.target_from_world, ""
        if self.plane:
            points = np.array(self.plane).reshape(3, 3)
            wall = wall_from_target(points)
            moved, corners = wall @ moved, wall @ points
        elif frame.georeference:
            known = in_crs(frame.georeference, self.crs or "", moved @ vertices)
            moved, crs = known.crs_from_target @ moved, known.crs
            corners = moved @ vertices
        else:
            corners = moved @ vertices
            task.warn(f"The orthophoto has the model's own coordinates: {NOWHERE}")
        views = made.posed.value.scene.views
        gsd = self.gsd or ground_sampling_distance(views, vertices, moved.scale)
        return lay_sheet(corners, moved, crs, gsd)
