"""Rigid and similarity transforms, named target_from_source.

point_a = a_from_b @ point_b        a_from_c = a_from_b @ b_from_c
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "*n 3"]


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rotation followed by a translation, float64."""

    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @staticmethod
    def identity() -> Rigid:
        """The transform that changes nothing."""
        return Rigid(np.eye(3), np.zeros(3))

    @staticmethod
    def from_matrix(matrix: Float[np.ndarray, "r 4"]) -> Rigid:
        """Take the upper 3x4 of a matrix; its left 3x3 must be a rotation.

        Raises:
            ValueError: the 3x3 is not a rotation within 1e-3, or a value is not finite.
        """
        rotation = np.asarray(matrix[:3, :3], np.float64)
        translation = np.asarray(matrix[:3, 3], np.float64)
        if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
            raise ValueError("matrix: got a value that is not finite, expected a rigid transform")
        # 1e-3: text files often keep only four to six digits.
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
            raise ValueError("matrix: its 3x3 is not a rotation (scaled, mirrored or transposed?)")
        u, _, vt = np.linalg.svd(rotation)
        return Rigid(u @ vt, translation)

    def matrix(self) -> Float[np.ndarray, "4 4"]:
        """The homogeneous 4x4 matrix."""
        out = np.eye(4)
        out[:3, :3], out[:3, 3] = self.rotation, self.translation
        return out

    def inverse(self) -> Rigid:
        """source_from_target."""
        return Rigid(self.rotation.T, -self.rotation.T @ self.translation)

    @overload
    def __matmul__(self, other: Rigid) -> Rigid: ...
    @overload
    def __matmul__(self, other: np.ndarray) -> np.ndarray: ...
    def __matmul__(self, other: Rigid | np.ndarray) -> Rigid | np.ndarray:
        """Compose with a transform, or move points of shape (..., 3)."""
        if isinstance(other, Rigid):
            return Rigid(self.rotation @ other.rotation, self @ other.translation)
        return other @ self.rotation.T + self.translation


@dataclass(frozen=True, eq=False)
class Similarity:
    """point -> scale * rotation @ point + translation, float64."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @staticmethod
    def from_rigid(rigid: Rigid, scale: float = 1.0) -> Similarity:
        """Move rigidly, then enlarge about the target's origin."""
        return Similarity(scale, rigid.rotation, scale * rigid.translation)

    @overload
    def __matmul__(self, other: Similarity) -> Similarity: ...
    @overload
    def __matmul__(self, other: np.ndarray) -> np.ndarray: ...
    def __matmul__(self, other: Similarity | np.ndarray) -> Similarity | np.ndarray:
        """Compose with a transform, or move points of shape (..., 3)."""
        if isinstance(other, Similarity):
            return Similarity(
                self.scale * other.scale, self.rotation @ other.rotation, self @ other.translation
            )
        return self.scale * other @ self.rotation.T + self.translation

    def matrix(self) -> Float[np.ndarray, "4 4"]:
        """The homogeneous 4x4 matrix."""
        out = np.eye(4)
        out[:3, :3], out[:3, 3] = self.scale * self.rotation, self.translation
        return out

    def inverse(self) -> Similarity:
        """source_from_target."""
        rotation, scale = self.rotation.T, 1.0 / self.scale
        return Similarity(scale, rotation, -scale * rotation @ self.translation)

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {
            "scale": self.scale,
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
        }

    @staticmethod
    def from_plain(stored: Mapping[str, Any]) -> Similarity:
        """What `plain` gave."""
        rotation, translation = np.array(stored["rotation"]), np.array(stored["translation"])
        return Similarity(stored["scale"], rotation, translation)

    def move_camera(self, cam_from_source: Rigid) -> Rigid:
        """The same camera seen from the target frame; its camera frame is scaled along."""
        rotation = cam_from_source.rotation @ self.rotation.T
        centre_target = self @ cam_from_source.inverse().translation
        return Rigid(rotation, -rotation @ centre_target)


def fit_similarity(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]
) -> Similarity:
    """Least-squares target_from_source of paired points (Umeyama 1991).

    Raises:
        ValueError: fewer than 3 pairs, or all source points coincide.
    """
    if len(source) != len(target) or len(source) < 3:
        raise ValueError(f"pairs: got {len(source)} and {len(target)}, expected 3 or more of each")
    mean_source, mean_target = source.mean(0), target.mean(0)
    centred_source, centred_target = source - mean_source, target - mean_target
    variance = float((centred_source**2).sum() / len(source))
    if variance <= 0:
        raise ValueError("source: all points coincide, expected some spread")
    u, singular, vt = np.linalg.svd(centred_target.T @ centred_source / len(source))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ sign @ vt
    scale = float((singular * np.diag(sign)).sum() / variance)
    return Similarity(scale, rotation, mean_target - scale * rotation @ mean_source)


def rotation_angle_deg(rotation: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n"]:
    """The angle of a rotation, accurate for small ones too."""
    sine = np.linalg.norm(rotation - np.swapaxes(rotation, -1, -2), axis=(-2, -1)) / np.sqrt(8)
    cosine = (np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine))


def rotations_from_axis_angle(vectors: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "m 3 3"]:
    """Rotations by axis times angle in radians."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(vectors).as_matrix())


def rotation_from_quaternion(wxyz: Sequence[float]) -> np.ndarray:
    """The rotation matrix of a quaternion (w, x, y, z) of any length but zero.

    Raises:
        ValueError: its length is zero or not finite.
    """
    norm = float(np.linalg.norm(wxyz))
    if not np.isfinite(norm) or norm < 1e-9:
        raise ValueError(f"the quaternion {tuple(wxyz)} is not a rotation")
    w, x, y, z = (value / norm for value in wxyz)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_wxyz(rotation: np.ndarray) -> list[float]:
    """(w, x, y, z), w >= 0, from the largest of the four components (Shepperd 1978)."""
    r = rotation
    trace = np.trace(r)
    squares = np.array([trace, r[0, 0], r[1, 1], r[2, 2]])
    largest = int(np.argmax(squares))
    if largest == 0:
        q = np.array([1 + trace, r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0] = r[k, j] - r[j, k]
        q[1 + i] = 1 + 2 * r[i, i] - trace
        q[1 + j] = r[j, i] + r[i, j]
        q[1 + k] = r[k, i] + r[i, k]
    q /= np.linalg.norm(q)
    return [float(value) for value in (q if q[0] >= 0 else -q)]
