"""`recon3d coach`: where a finished model is weak, and from where to take the next photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from recon3d.cli.display import Display
from recon3d.cli.options import Command, OptionalPath
from recon3d.core.errors import InputError
from recon3d.core.printable import printable
from recon3d.run.task import CancelToken, Task
from recon3d.view_planning import USUAL_VIEWS

if TYPE_CHECKING:
    from recon3d.view_planning.advice import Advice

_MOST_VIEWS = 50


@dataclass(frozen=True, kw_only=True)
class Coach(Command):
    """Say where a finished model is weak, and where to stand for the next photos.

    recon3d coach church.recon3d; take the photos, put them into the folder of the others, and run
    `recon3d mesh` again.
    """

    supervised: ClassVar[bool] = True

    workspace: Positional[Path]
    """The folder ending in .recon3d."""
    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """Mesh to write in the colours of its coverage, the suggested cameras as blue pyramids: .ply,
    .glb or .3mf. Default: the workspace's name and _coverage.ply."""
    cameras: Path = Path("suggested_views.json")
    """File to write the suggested cameras to, as nerfstudio's transforms.json; pictures of what
    they would show lie beside it."""
    views: int = USUAL_VIEWS
    """How many photos to suggest at most, the most useful first. Each is judged after the ones
    before it, so take them in this order."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Look, and write it."""
        from recon3d.export.export import Outputs, check_outputs
        from recon3d.finished import reopen
        from recon3d.surface.stills import StillRenderer
        from recon3d.view_planning.advice import advise
        from recon3d.view_planning.files import write_coverage, write_suggestions
        from recon3d.view_planning.measure import matched_px
        from recon3d.view_planning.previews import preview

        if not 1 <= self.views <= _MOST_VIEWS:
            raise InputError(f"--views is {self.views}, but must be from 1 to {_MOST_VIEWS}.")
        target = self.output or Path(f"{self.workspace.resolve().stem}_coverage.ply")
        check_outputs(Outputs(meshes=(target,), transforms=self.cameras))
        made, task = reopen(self.workspace), Task("coach", display, cancel)
        if not (made.posed and made.frame and made.mesh and len(made.mesh.value.faces)):
            raise InputError(
                f"The latest run in {self.workspace} ended before there was a mesh.",
                hint="Run `recon3d mesh` with this --workspace; what is finished stays.",
            )
        posed, frame = made.posed.value, made.frame.value
        if len(posed.scene.views) < 2:
            raise InputError(
                "The model is the relief of one photo.",
                hint="Take more photos, from all around, for a whole and measured model.",
            )
        pixels = matched_px(made.depth.value) if made.depth else None
        advice = advise(made.mesh.value, posed, frame, self.views, task, pixels)
        model = made.textured.value if made.textured else made.mesh.value
        renderer = StillRenderer(model)
        pictures = [preview(renderer, suggestion.view) for suggestion in advice.suggestions]
        write_coverage(target, advice, frame)
        write_suggestions(self.cameras, advice, pictures, frame)
        written = [str(target), str(self.cameras)]
        display.result({**advice.plain(frame), "written": written}, _told(advice, written))


def _told(advice: Advice, written: list[str]) -> str:
    """What a person is shown."""
    from recon3d.view_planning.legend import WHAT
    from recon3d.view_planning.measure import Weakness

    coverage = advice.coverage
    lines = [f"Photos:   {coverage.mean_photos:.1f} see a place on average"]
    lines += [
        f"{share:9.1%} {WHAT[kind]}"
        for kind, share in coverage.shares.items()
        if share >= 0.0005 or kind == Weakness.NONE
    ]
    lines.append("Next photos:" if advice.suggestions else "No further photo would help much.")
    for number, (suggestion, told) in enumerate(
        zip(advice.suggestions, advice.sentences, strict=True), 1
    ):
        lines.append(f"{number:3}. {told}")
        lines.append(
            f"     Mends {suggestion.gain:.0%} of what is weak; shares {suggestion.overlap:.0%} of "
            f"its picture with {printable(suggestion.overlapping)}."
        )
    return "\n".join([*lines, *(f"Written:  {path}" for path in written)])
