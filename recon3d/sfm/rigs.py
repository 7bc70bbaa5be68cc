"""Rigs in COLMAP's words: cameras are sensors of a rig, photos of one moment are a frame.

A photo that belongs to no rig is alone in a frame of a trivial rig. Rigs are numbered like their
first camera and frames like their first image, in databases and models alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from recon3d.core.rig import RigPhoto
from recon3d.core.transform import Rigid
from recon3d.sfm.pycolmap_library import pycolmap

# Share of the farthest two cameras of a rig below which they look from one place.
_ONE_PLACE = 1e-9


def rigid3d(transform: Rigid) -> pycolmap.Rigid3d:
    """COLMAP's transform."""
    return pycolmap.Rigid3d(transform.matrix()[:3])


def sensor_of(camera_id: int) -> pycolmap.sensor_t:
    """COLMAP's name of a camera."""
    return pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera_id)


def rigs_of_cameras(places: Mapping[int, RigPhoto | None]) -> Iterator[pycolmap.Rig]:
    """Every camera in a rig.

    places: by COLMAP's number of a camera, in ascending order: the place of its photos.
    """
    first: dict[str, tuple[int, Rigid]] = {}
    rigs: dict[int, pycolmap.Rig] = {}
    for camera_id, place in places.items():
        if place is None or place.rig not in first:
            rigs[camera_id] = pycolmap.Rig(rig_id=camera_id)
            rigs[camera_id].add_ref_sensor(sensor_of(camera_id))
            if place is not None:
                first[place.rig] = camera_id, place.cam_from_rig
            continue
        rig_id, ref_from_rig = first[place.rig]
        sensor_from_ref = place.cam_from_rig @ ref_from_rig.inverse()
        rigs[rig_id].add_sensor(sensor_of(camera_id), rigid3d(sensor_from_ref))
    yield from rigs.values()


def frames_of_images(
    images: Mapping[int, tuple[int, RigPhoto | None]], rigs: Collection[pycolmap.Rig]
) -> Iterator[pycolmap.Frame]:
    """Every image in a frame, without a pose.

    images: by COLMAP's number of an image, in ascending order: its camera and its place.
    """
    rig_of = {sensor.id: rig.rig_id for rig in rigs for sensor in rig.sensor_ids()}
    frames: dict[int | tuple[str, str], pycolmap.Frame] = {}
    for image_id, (camera_id, place) in images.items():
        key = image_id if place is None else (place.rig, place.moment)
        if key not in frames:
            frames[key] = pycolmap.Frame(frame_id=image_id, rig_id=rig_of[camera_id])
        frames[key].add_data_id(pycolmap.data_t(sensor_of(camera_id), image_id))
    yield from frames.values()


def taken_together(places: Sequence[RigPhoto | None]) -> Bool[np.ndarray, "n n"]:
    """Which photos were taken by one rig at one moment; none with itself."""
    moments: dict[tuple[str, str], int] = {}
    number = np.array(
        [
            -1 - index if p is None else moments.setdefault((p.rig, p.moment), len(moments))
            for index, p in enumerate(places)
        ],
        np.int64,
    )
    together: np.ndarray = number[:, None] == number[None]
    np.fill_diagonal(together, False)
    return together


def in_one_place(places: Sequence[RigPhoto | None]) -> Bool[np.ndarray, "n n"]:
    """Which of these were so by cameras whose centres coincide.

    Matches between them say nothing that is not known.
    """
    centres = np.array(
        [np.zeros(3) if p is None else p.cam_from_rig.inverse().translation for p in places]
    ).reshape(-1, 3)
    reach = float(np.linalg.norm(centres, axis=1).max(initial=0.0))
    together = taken_together(places)
    for index in np.flatnonzero(together.any(axis=1)).tolist():
        apart = np.linalg.norm(centres - centres[index], axis=1)
        together[index] &= apart <= _ONE_PLACE * reach
    return together


def frame_with_baseline(model: pycolmap.Reconstruction) -> int | None:
    """The first frame that several cameras of a rig with a baseline took; None without any.

    Where there is one, the rig tells the scale of the model.
    """
    for frame_id in sorted(model.reg_frame_ids()):
        frame = model.frames[frame_id]
        cameras = [model.images[each.id].camera_id for each in frame.image_ids]
        if len(cameras) < 2:
            continue
        rig = model.rigs[frame.rig_id]
        others = (
            rig.sensor_from_rig(sensor)
            for sensor in map(sensor_of, cameras)
            if not rig.is_ref_sensor(sensor)
        )
        centres = [place.tgt_origin_in_src() for place in others if place]
        if len(centres) < len(cameras):
            centres.append(np.zeros(3))
        if float(np.ptp(np.array(centres), axis=0).max()) > 0:
            return frame_id
    return None
