"""A chain of changes to a mesh, and what each of them did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from recon3d.core.errors import TooLittleDepthError
from recon3d.core.surface import Mesh
from recon3d.run.task import Task


@dataclass(frozen=True)
class Link:
    """One change, named by what it does, and what can be counted to show that it did."""

    name: str
    change: Callable[..., Mesh]
    """Of a mesh; where it takes more than one share of the time, of a mesh and a task to report to.
    """
    counted: str = ""
    count: Callable[[Mesh], int | float] | None = None
    shares: int = 1
    """Of the chain's time, most links taking one."""


@dataclass(frozen=True)
class Effect:
    """What one link did; the counts are None where it counts nothing but faces."""

    name: str
    faces_before: int
    faces_after: int
    counted: str
    before: int | float | None
    after: int | float | None

    def __str__(self) -> str:
        """For the progress line."""
        # A place called "name" would keep its English words.
        step = self.name
        if self.before is None or self.after is None:
            return f"{step}: {self.faces_after:,} faces"
        before, after = _rounded(self.before), _rounded(self.after)
        return f"{step}: {self.faces_after:,} faces, {self.counted} {before:,} to {after:,}"


def _rounded(value: int | float) -> int | float:
    return value if isinstance(value, int) else float(f"{value:.3g}")


def run_chain(raw: Mesh, chain: Sequence[Link], task: Task) -> tuple[Mesh, list[dict[str, object]]]:
    """The mesh after all links, and their effects as plain values.

    Raises:
        TooLittleDepthError: a link has left no face.
    """
    mesh, effects = raw, []
    done, total = 0, sum(link.shares for link in chain)
    for link in chain:
        before = link.count and link.count(mesh)
        faces_before = len(mesh.faces)
        told = [task.part(done, total, link.shares)] if link.shares > 1 else []
        mesh = link.change(mesh, *told)
        if len(mesh.faces) == 0:
            step = link.name
            raise TooLittleDepthError(
                f'No face of the mesh is left by the step of cleaning "{step}".',
                hint="Look at the raw surface with `recon3d fuse`, or set the step's setting "
                "less strictly.",
            )
        after = link.count and link.count(mesh)
        effect = Effect(link.name, faces_before, len(mesh.faces), link.counted, before, after)
        done += link.shares
        task.step(done, total, str(effect))
        effects.append(asdict(effect))
    return mesh, effects
