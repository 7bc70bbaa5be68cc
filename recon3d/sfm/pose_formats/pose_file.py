"""What pose files say, and what their readers share: cam_from_world, x right, y down, z ahead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import PosesError
from recon3d.core.orientation import Size
from recon3d.core.scene import Unit
from recon3d.core.transform import Rigid
from recon3d.photos.documents import Document, parse_document, read_text

T = TypeVar("T")

# OpenGL's camera looks along -z with y up.
_GL_FROM_CV = Rigid(np.diag([1.0, -1.0, -1.0]), np.zeros(3))


@dataclass(frozen=True, eq=False)
class PoseFile:
    """What a file or folder says of the photos' places."""

    cam_from_world: Mapping[str, Rigid] = field(default_factory=dict)
    """By name of the photo, as the file writes it."""
    in_order: tuple[Rigid | None, ...] = ()
    """cam_from_world of the photos in the order of their names, from a file without names; None
    where the file marks a photo as lost."""
    intrinsics: Mapping[str, Intrinsics] = field(default_factory=dict)
    """By the same names, where the format carries cameras."""
    intrinsics_in_order: tuple[Intrinsics, ...] = ()
    """Of the poses in order."""
    unit: Unit | None = None
    """None where the file does not say."""
    sources: tuple[Path, ...] = ()
    """Every file that was read."""


@dataclass(frozen=True)
class PoseSource:
    """A file or folder that somebody names, and the photos that it is given for."""

    path: Path
    photo_ids: Sequence[str]
    usual_size: Size
    """Width and height of photos for formats that may leave them out."""

    @cached_property
    def text(self) -> str:
        """Of a file.

        Raises:
            PosesError: it cannot be read as text.
        """
        return read_text(self.path, PosesError)

    @cached_property
    def numbers_a_line(self) -> list[int]:
        """How many numbers each of the first lines has; empty where it is no file of numbers."""
        if not self.path.is_file():
            return []
        bare = (line.partition("#")[0].replace(",", " ").split() for line in self.text.split("\n"))
        lines = list(islice((words for words in bare if words), 8))
        try:
            return [len([float(word) for word in words]) for words in lines]
        except ValueError:
            return []

    @cached_property
    def fields(self) -> Document:
        """Of a JSON file.

        Raises:
            ValueError: it is damaged.
        """
        return parse_document(self.text)

    @property
    def is_json(self) -> bool:
        """Whether it is a file of JSON."""
        return self.path.is_file() and self.text.lstrip().startswith("{")

    def within(self, name: str) -> PoseSource:
        """A file of a folder, or the file itself where it is named so."""
        return PoseSource(
            self.path / name if self.path.is_dir() else self.path, self.photo_ids, self.usual_size
        )

    def named(self, name: str) -> bool:
        """Whether it is a file of that name or a folder that holds one."""
        return self.path.name == name or (self.path / name).is_file()


@dataclass(frozen=True)
class PoseFormat:
    """A format, how to tell it, and its reader."""

    name: str
    recognises: Callable[[PoseSource], bool]
    read: Callable[[PoseSource], PoseFile]
    """Raises ValueError where the file is damaged or holds an impossible pose."""


def numbers_of(text: str) -> list[float]:
    """All numbers of a text; # starts a comment.

    Raises:
        ValueError: a word is no number.
    """
    lines = (line.partition("#")[0].replace(",", " ") for line in text.splitlines())
    return [float(word) for line in lines for word in line.split()]


def rigid(numbers: Sequence[float], name: str) -> Rigid:
    """A 3x4 or 4x4 matrix row by row.

    Raises:
        ValueError: it is no rotation and translation; says what it looks like instead.
    """
    if len(numbers) not in (12, 16):
        raise ValueError(f"the pose of {name} has {len(numbers)} numbers, not 16")
    matrix = np.reshape(np.array(numbers, np.float64), (-1, 4))
    try:
        _check_last_row(matrix)
        return Rigid.from_matrix(matrix)
    except ValueError as error:
        raise ValueError(
            f"the pose of {name}: {error}; it is transposed, written column by column"
            if _is_transposed(matrix)
            else f"the pose of {name}: {error}"
        ) from error


def inverted(world_from_cam: Sequence[float], name: str) -> Rigid:
    """cam_from_world of a camera-to-world matrix, as `rigid` reads it."""
    return rigid(world_from_cam, name).inverse()


def from_opengl(world_from_gl: Rigid) -> Rigid:
    """cam_from_world of a camera-to-world pose whose camera looks along -z with y up."""
    return (world_from_gl @ _GL_FROM_CV).inverse()


def to_opencv(gl_from_world: Rigid) -> Rigid:
    """cam_from_world of a world-to-camera pose whose camera looks along -z with y up."""
    return _GL_FROM_CV @ gl_from_world


def field_of(fields: Document, key: str, name: str) -> list[float]:
    """The numbers of a field; an error names the photo."""
    try:
        return fields.numbers(key)
    except ValueError as error:
        raise ValueError(f"the pose of {name}: {error}") from error


def by_number(photo_ids: Sequence[str], values: Mapping[int, T]) -> dict[str, T]:
    """The value of each photo by the last number in its name; empty where two share one."""
    numbers = {
        photo_id: int(found[-1])
        for photo_id in photo_ids
        if (found := re.findall(r"\d{1,18}", PurePosixPath(photo_id).stem))
    }
    if len(set(numbers.values())) < len(photo_ids):
        return {}
    return {i: values[number] for i, number in numbers.items() if number in values}


def _check_last_row(matrix: np.ndarray) -> None:
    if len(matrix) == 4 and not np.allclose(matrix[3], [0, 0, 0, 1], rtol=0, atol=1e-6):
        row = " ".join(f"{value:g}" for value in matrix[3])
        raise ValueError(f"its last row is {row}, not 0 0 0 1")


def _is_transposed(matrix: np.ndarray) -> bool:
    turned = matrix.ravel().reshape(4, -1).T
    try:
        _check_last_row(turned)
        Rigid.from_matrix(turned)
    except ValueError:
        return False
    return True
