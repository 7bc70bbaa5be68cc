"""Photos with known depth, one at a time, whatever folder they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.core.scene import Unit
from recon3d.photos.documents import read_text


@dataclass(frozen=True, eq=False)
class Frame:
    """A photo and its depth, pixel on pixel."""

    name: str
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_z: Float32[np.ndarray, "h w"]
    """0 = unknown."""
    camera: PinholeCamera


def first_word(line: str) -> str:
    """The frame that a line of a list of frames names, unless its layout says otherwise."""
    return line.split()[0]


@dataclass(frozen=True, eq=False)
class FrameSet(Sequence[Frame]):
    """Frames in the order of their names; each is read when it is asked for.

    Indexing raises InputError, naming the file, where a frame's files are broken.
    """

    layout: str
    names: tuple[str, ...]
    read: Callable[[int], Frame]
    """By position, under whatever name; may be called from several threads."""
    unit: Unit = "metre"
    """What depth_z is in: "scene" means that each frame's scale is arbitrary."""
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Positions by the name of a part, such as "train", where the publisher has named some."""
    name_in_list: Callable[[str], str] = first_word
    """The frame's name in a line of the publisher's lists."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, position: int) -> Frame:  # type: ignore[override]
        return replace(self.read(position), name=self.names[position])

    def chosen(self, positions: Iterable[int]) -> FrameSet:
        """Only some of the frames, without named parts."""
        kept = tuple(positions)
        names = tuple(self.names[position] for position in kept)
        return replace(self, names=names, read=lambda i: self.read(kept[i]), splits={})

    def part(self, split: str) -> FrameSet:
        """The part of that name, or the frames that a text file of that name lists.

        Raises:
            InputError: there is neither, or the list names no frame of this set.
        """
        if split in self.splits:
            return self.chosen(self.splits[split])
        if not Path(split).is_file():
            known = ", ".join(self.splits) or "none"
            raise InputError(
                f'There is no part "{split}" of these frames, nor a file of that name.',
                hint=f"Known parts: {known}. A text file names one frame a line.",
            )
        found = self._listed(Path(split))
        if not found:
            raise InputError(
                f"{split} names none of the {len(self)} frames, which are named like "
                f"{self.names[0]}."
            )
        return self.chosen(found)

    def with_lists(self, paths: Iterable[Path]) -> FrameSet:
        """The same frames; text files that list some of them are parts by their names."""
        lists = {path.stem: self._listed(path) for path in sorted(paths)}
        return replace(self, splits={name: found for name, found in lists.items() if found})

    def _listed(self, path: Path) -> tuple[int, ...]:
        place = {name: index for index, name in enumerate(self.names)}
        lines = read_text(path, InputError).splitlines()
        wanted = [self.name_in_list(line) for line in lines if line.strip()]
        return tuple(place[name] for name in wanted if name in place)


def joined(parts: Sequence[tuple[str, FrameSet]]) -> FrameSet:
    """Several sets of one layout after each other, named folder/frame."""
    places = [(s, i) for s, (_, frames) in enumerate(parts) for i in range(len(frames))]
    names = tuple(f"{parts[s][0]}/{parts[s][1].names[i]}" for s, i in places)

    def read(position: int) -> Frame:
        s, i = places[position]
        return parts[s][1].read(i)

    return replace(parts[0][1], names=names, read=read, splits={})
