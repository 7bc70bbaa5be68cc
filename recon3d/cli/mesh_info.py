"""`recon3d mesh-info`: what a mesh file holds and whether other programs will take it."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.run.task import CancelToken, Task

if TYPE_CHECKING:
    from recon3d.surface.cleaning.survey import Survey


@dataclass(frozen=True, kw_only=True)
class MeshInfo(Command):
    """Say whether a mesh is watertight and manifold, how large it is, and how fine its texture.

    recon3d mesh-info scene.glb; for PLY, OBJ, GLB, glTF, STL, OFF and 3MF files of any program.
    """

    supervised: ClassVar[bool] = True

    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE")]
    """Mesh files."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Measure one file after the other.

        Raises:
            InputError: a file cannot be read.
            NotEnoughMemoryError: it is too large.
        """
        from recon3d.surface.cleaning.survey import survey
        from recon3d.surface.foreign_meshes import read_foreign_mesh

        task = Task("mesh-info", display, cancel)
        found = {
            path: survey(read_foreign_mesh(path, task.runtime))
            for path in task.each(self.files, len(self.files))
        }
        display.result(
            {"meshes": [{"file": str(path), **asdict(numbers)} for path, numbers in found.items()]},
            "\n\n".join(_table(path, numbers) for path, numbers in found.items()),
        )


def _table(path: Path, numbers: Survey) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=str(path), title_justify="left", box=box.SIMPLE, show_header=False)
    for name, value in _lines(numbers):
        table.add_row(name, value)
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip()


def _lines(numbers: Survey) -> list[tuple[str, str]]:
    volume = "only of a closed mesh" if numbers.volume is None else f"{numbers.volume:.6g}"
    pages = ", ".join(f"{width} x {height} px" for width, height in numbers.texture_pages_px)
    lines = [
        ("faces", f"{numbers.faces:,}"),
        ("vertices", f"{numbers.vertices:,}"),
        ("pieces", f"{numbers.pieces:,}"),
        ("watertight", _yes(numbers.watertight)),
        ("edge-manifold", _yes(numbers.edge_manifold)),
        ("vertex-manifold", _yes(numbers.vertex_manifold)),
        ("sides agree", _yes(numbers.consistently_oriented)),
        ("open borders", f"{numbers.borders:,} (longest {numbers.longest_border:.4g} around)"),
        ("faces without area", f"{numbers.degenerate_faces:,}"),
        ("faces that are crossed", f"{numbers.self_intersecting_faces:,}"),
        ("size", " x ".join(f"{side:.4g}" for side in numbers.size)),
        ("area", f"{numbers.area:.6g}"),
        (
            "inferred, of the area",
            "unknown" if numbers.inferred is None else f"{numbers.inferred:.1%}",
        ),
        ("volume", volume),
        ("median edge", f"{numbers.median_edge:.4g}"),
        ("texture", pages or "none"),
    ]
    if numbers.texels_per_unit is not None:
        lines.append(("texels per unit", f"{numbers.texels_per_unit:.4g}"))
    return lines


def _yes(true: bool) -> str:
    return "yes" if true else "no"
