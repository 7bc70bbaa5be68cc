"""The polygons of an OBJ file cut into triangles, for a reader that knows convex ones only."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_FACE = re.compile(r"^[ \t]*f[ \t][^\n]*", re.MULTILINE)
_VERTEX = re.compile(r"^[ \t]*v[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+)", re.MULTILINE)
_TEXEL, _NORMAL = (re.compile(rf"^[ \t]*{name}[ \t]", re.MULTILINE) for name in ("vt", "vn"))
_MOST_CORNERS = 10_000
"""Cutting takes a time that grows with the square of them."""


def with_triangles(text: str) -> str:
    """The same file, its faces of four corners and more cut along diagonals inside of them.

    Numbers that count back from their face are counted from the start. What cannot be understood
    stays as it is, for the reader to refuse.
    """
    text = text.replace("\r\n", "\n").replace("\\\n", " ")
    unread = [face for face in _FACE.finditer(text) if "-" in face[0] or len(face[0].split()) > 4]
    if not unread:
        return text
    vertices = list(_VERTEX.finditer(text))
    starts = [
        np.array([found.start() for found in finds])
        for finds in (vertices, _TEXEL.finditer(text), _NORMAL.finditer(text))
    ]
    pieces, done = [], 0
    for face in unread:
        try:
            so_far = [int(np.searchsorted(each, face.start())) for each in starts]
            corners = [_from_start(corner, so_far) for corner in face[0].split()[1:]]
            named = [vertices[int(corner.split("/")[0]) - 1].groups() for corner in corners]
            triangles = triangles_of(np.array(named).astype(np.float64))
        except (ValueError, IndexError):
            continue
        lines = ("f " + " ".join(corners[at] for at in three) for three in triangles)
        pieces += [text[done : face.start()], "\n".join(lines)]
        done = face.end()
    return "".join([*pieces, text[done:]])


def _from_start(corner: str, so_far: list[int]) -> str:
    """A corner such as -3/-3/2 in numbers of the whole file, which begin at 1."""
    numbers = []
    for count, number in zip(so_far, corner.split("/"), strict=False):
        place = int(number or 1) if int(number or 1) > 0 else count + 1 + int(number)
        if place < 1:
            raise IndexError(corner)
        numbers.append(str(place) if number else "")
    return "/".join(numbers)


def triangles_of(points: Float[np.ndarray, "n 3"]) -> Sequence[tuple[int, int, int]]:
    """Cut a polygon, which may have notches, into triangles that face its way.

    Ear clipping (Meisters 1975) in the plane of its mean normal; a polygon that crosses itself, or
    has more corners than anyone draws, becomes a fan.
    """
    count = len(points)
    centred = points - points.mean(0)
    # Newell's normal: it also holds for polygons that are not flat.
    normal = np.cross(centred, np.roll(centred, -1, axis=0)).sum(0)
    axis = int(np.abs(normal).argmax())
    across, along = (axis + 1) % 3, (axis + 2) % 3
    flat = centred[:, [across, along]] * [np.sign(normal[axis]) or 1.0, 1.0]
    fan = [(0, at, at + 1) for at in range(1, count - 1)]
    if count > _MOST_CORNERS or _is_convex(flat):
        return fan
    left, found = list(range(count)), list[tuple[int, int, int]]()
    while len(left) > 3:
        ear = next((at for at in range(len(left)) if _is_ear(flat, left, at)), None)
        if ear is None:
            return fan
        found.append((left[ear - 1], left[ear], left[(ear + 1) % len(left)]))
        del left[ear]
    return [*found, (left[0], left[1], left[2])]


def _turns(flat: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """Twice the area of each corner's triangle; negative where the outline turns inwards."""
    back, ahead = flat - np.roll(flat, 1, axis=0), np.roll(flat, -1, axis=0) - flat
    turns: np.ndarray = back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]
    return turns


def _is_convex(flat: Float[np.ndarray, "n 2"]) -> bool:
    return bool((_turns(flat) >= 0).all())


def _is_ear(flat: Float[np.ndarray, "n 2"], left: list[int], at: int) -> bool:
    """Whether a corner points outwards, and no other lies in what would be cut off with it."""
    corners = flat[[left[at - 1], left[at], left[(at + 1) % len(left)]]]
    sides = np.roll(corners, -1, axis=0) - corners
    if sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0] <= 0:
        return False
    away = flat[left][:, None] - corners
    inside = (sides[:, 0] * away[..., 1] - sides[:, 1] * away[..., 0] >= 0).all(1)
    # Corners at one place with these, as where a hole is joined to the outline, do not count.
    inside &= (np.abs(away).max(2) > 0).all(1)
    return not inside.any()
