"""What photos say of where they were taken: readings that can be true, and how sure each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.geodesy import GPS_SIGMA_M, GPS_VERTICAL, enu_from_geodetic
from recon3d.core.scene import Photo

# A receiver without a fix writes zeros.
_NO_FIX_DEG = 1e-6
# Readings that repeat the last fix agree to the last digit; true ones scatter by more.
_SAME_M = 0.05
# Further off than this, and than so many times the usual distance, is another place.
_ELSEWHERE_M, _ELSEWHERE_TIMES = 1000.0, 10.0
# No photos of one scene lie further apart.
_FARTHEST_M = 100_000.0
_MOST_ELSEWHERE = 0.4
_FEWEST = 3
# Receivers promise millimetres; the antenna is not where the lens is.
_SUREST_M, _LEAST_SURE_M = 0.02, 50.0
_NAMES_TOLD = 3


@dataclass(frozen=True, eq=False)
class GpsReadings:
    """Readings that can be true, in metres about the one in the middle."""

    photo_ids: tuple[str, ...] = ()
    enu_m: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.empty((0, 3)))
    std_m: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.empty((0, 3)))
    """One standard deviation by axis."""
    is_stated: Bool[np.ndarray, "n"] = field(default_factory=lambda: np.empty(0, bool))
    """Whether the photo says how sure its reading is."""
    warning: str = ""
    """Of readings that do not count, in a sentence."""

    def of(self, photo_ids: Sequence[str]) -> GpsReadings:
        """Those of some photos."""
        wanted = {*photo_ids}
        keep = np.array([photo_id in wanted for photo_id in self.photo_ids], bool)
        return self.where(keep)

    def where(self, keep: Bool[np.ndarray, "n"]) -> GpsReadings:
        """Only some of them."""
        return replace(
            self,
            photo_ids=tuple(np.array(self.photo_ids, object)[keep].tolist()),
            enu_m=self.enu_m[keep],
            std_m=self.std_m[keep],
            is_stated=self.is_stated[keep],
        )


def read_gps(photos: Sequence[Photo]) -> GpsReadings:
    """The readings of photos without those that cannot be true.

    Zeros of a receiver without a fix, a reading that all photos repeat, and ones that lie
    kilometres from the others do not count; `warning` says so.
    """
    found = [photo for photo in photos if photo.exif.gps_deg_m is not None]
    fixed = [photo for photo in found if _has_fix(photo)]
    warning = _told(
        found,
        fixed,
        "The GPS of {} has no fix (0, 0) and does not count.",
        "The GPS of {} have no fix (0, 0) and does not count.",
    )
    if len(fixed) < _FEWEST:
        return GpsReadings(warning=warning)
    places = np.array([photo.exif.gps_deg_m for photo in fixed], np.float64)
    enu_m = enu_from_geodetic(places, np.median(places, axis=0))
    away_m = np.linalg.norm(enu_m[:, :2], axis=1)
    if np.ptp(enu_m, axis=0).max() < _SAME_M:
        return GpsReadings(
            warning="All photos repeat one GPS reading, so none says where it was taken."
        )
    usual_m = float(np.median(away_m))
    near = away_m <= min(max(_ELSEWHERE_M, _ELSEWHERE_TIMES * usual_m), _FARTHEST_M)
    if near.sum() < max(_FEWEST, (1 - _MOST_ELSEWHERE) * len(near)):
        return GpsReadings(
            warning="The photos' GPS readings jump by kilometres, so none of them counts."
        )
    kept = [photo for photo, is_near in zip(fixed, near.tolist(), strict=True) if is_near]
    warning = warning or _told(
        fixed,
        kept,
        "The GPS of {} lies kilometres off and does not count.",
        "The GPS of {} lie kilometres off and does not count.",
    )
    stated = [photo.exif.gps_std_m for photo in kept]
    usual = (GPS_SIGMA_M, GPS_VERTICAL * GPS_SIGMA_M)
    std_m = np.array([[*(one or usual)] for one in stated], np.float64)[:, [0, 0, 1]]
    return GpsReadings(
        tuple(photo.id for photo in kept),
        enu_m[near],
        np.clip(std_m, _SUREST_M, _LEAST_SURE_M),
        np.array([one is not None for one in stated]),
        warning,
    )


def _has_fix(photo: Photo) -> bool:
    place = photo.exif.gps_deg_m
    return place is not None and max(abs(place[0]), abs(place[1])) > _NO_FIX_DEG


def _told(all_of: Sequence[Photo], kept: Sequence[Photo], one: str, several: str) -> str:
    ids = {photo.id for photo in kept}
    out = [photo.id for photo in all_of if photo.id not in ids]
    if not out:
        return ""
    names = ", ".join(out[:_NAMES_TOLD])
    if len(out) > _NAMES_TOLD:
        names = f"{names} and {len(out) - _NAMES_TOLD} others"
    return (one if len(out) == 1 else several).format(names)
