"""Files of several cameras that keep their places to each other (docs/CALIBRATION.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import IntrinsicsError, OutputError
from recon3d.core.orientation import Size
from recon3d.core.transform import Rigid, quaternion_wxyz
from recon3d.photos.colmap_cameras import colmap_from_intrinsics
from recon3d.photos.documents import Document, read_document
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.intrinsics_files import CameraFormat, kalibr_camera, no_thin_prism, our_fields
from recon3d.run.files import atomic_path, write_json


@dataclass(frozen=True, eq=False)
class RigMember:
    """A camera and where it stands."""

    intrinsics: Intrinsics
    cam_from_first: Rigid
    """From the frame of the rig's first camera, in the rig's unit."""
    baseline_std: float | None = None
    """One standard deviation of the distance to the first camera; None where nobody says it."""
    turn_std_deg: float | None = None
    """Of how it is turned against the first one."""


@dataclass(frozen=True, eq=False)
class RigFile:
    """What a file says of a rig."""

    cameras: Mapping[str, RigMember]
    """Two or more by name, the first one first."""
    metric: bool
    """The unit is the metre; else nobody knows it."""


def rig_fields(
    rig: RigFile, details: Mapping[str, Mapping[str, object]] | None = None
) -> dict[str, object]:
    """The fields of our JSON; also a camera file that holds each camera by its name.

    details: what else to say of each camera.
    """
    return {
        "unit": "metre" if rig.metric else "unknown",
        # Groups of JSON have no order, and the first camera is what the others are placed from.
        "order": [*rig.cameras],
        "cameras": {
            name: {
                **our_fields(camera.intrinsics),
                "cam_from_first": camera.cam_from_first.matrix().tolist(),
                **(details or {}).get(name, {}),
            }
            for name, camera in rig.cameras.items()
        },
    }


def read_rig_file(path: Path, usual_size: Size) -> RigFile | None:
    """Read our JSON or Kalibr's camchain; None where the file says of no places.

    usual_size: as `read_camera_file` takes it.

    Raises:
        IntrinsicsError: as `read_camera_file`, or a place is no rotation and translation.
    """
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        return None
    fields = read_document(path, IntrinsicsError)
    try:
        places = _kalibr_places(fields) if "cam0" in fields else _our_places(fields)
    except ValueError as error:
        raise IntrinsicsError(
            f"{path} does not say where its cameras stand: {error}.",
            hint="Each camera needs its 4x4 matrix: cam_from_first, or T_cn_cnm1 in Kalibr's.",
        ) from error
    if places is None:
        return None
    file = read_camera_file(path, usual_size)
    cameras = file.by_name or dict(zip(places, file.shared, strict=True))
    # Wherever the file measures from, we measure from the first camera.
    first_from_origin = next(iter(places.values()))
    return RigFile(
        {
            name: RigMember(
                cameras[name],
                place @ first_from_origin.inverse(),
                *_standard_deviations(fields, name),
            )
            for name, place in places.items()
        },
        metric="cam0" in fields or fields.get("unit") == "metre",
    )


def write_rig_file(target: Path, rig: RigFile, form: CameraFormat | None) -> None:
    """Write all cameras.

    form: None goes by the name: .json is recon3d's, rig_config.json COLMAP's, .yaml and .yml
        Kalibr's.

    Raises:
        OutputError: the place cannot be written, or the format holds no rigs, no such lens, or
            no unknown unit.
    """
    chosen = form or _form_of(target)
    if chosen == "recon3d":
        write_json(target, rig_fields(rig))
    elif chosen in ("colmap", "kalibr"):
        text = _kalibr(rig) if chosen == "kalibr" else json.dumps(_colmap(rig), indent=2)
        with atomic_path(target) as part:
            part.write_text(text, encoding="utf-8")
    else:
        raise OutputError(
            f"A file of {chosen} does not hold {len(rig.cameras)} cameras and their places.",
            hint="Kalibr's camchain.yaml, COLMAP's rig_config.json and recon3d's JSON do.",
        )


def _form_of(target: Path) -> CameraFormat:
    if target.name == "rig_config.json":
        return "colmap"
    forms: Mapping[str, CameraFormat] = {".json": "recon3d", ".yaml": "kalibr", ".yml": "kalibr"}
    if target.suffix.lower() not in forms:
        raise OutputError(
            f"{target.name} says no format that holds several cameras.",
            hint=f"Name it rig_config.json for COLMAP, or end it in {', '.join(forms)}.",
        )
    return forms[target.suffix.lower()]


def _our_places(fields: Document) -> dict[str, Rigid] | None:
    if not isinstance(fields.get("cameras"), Mapping):
        return None
    cameras = fields.child("cameras")
    order = fields.get("order", [*cameras])
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(cameras):
        raise ValueError("order does not name each camera once")
    named = {str(name): cameras.child(str(name)) for name in order}
    if not any("cam_from_first" in camera for camera in named.values()):
        return None
    return {name: _place(camera, "cam_from_first") for name, camera in named.items()}


def _kalibr_places(fields: Document) -> dict[str, Rigid] | None:
    """Each camera is placed from the one before it."""
    names = [name for name in fields if name.startswith("cam")]
    if names != [f"cam{number}" for number in range(len(names))]:
        raise ValueError(f"its cameras are {', '.join(names)}, not cam0, cam1 and so on")
    if not any("T_cn_cnm1" in fields.child(name) for name in names):
        return None
    places = {"cam0": Rigid.identity()}
    for before, name in pairwise(names):
        places[name] = _place(fields.child(name), "T_cn_cnm1") @ places[before]
    return places


def _standard_deviations(fields: Document, name: str) -> tuple[float | None, float | None]:
    """Of the distance to the first camera, and of the turn in degrees, as `calibrate` says them."""
    stored = fields.get("cameras")
    camera = stored.get(name) if isinstance(stored, Mapping) else None
    found = camera.get("standard_deviations") if isinstance(camera, Mapping) else None
    if not isinstance(found, Mapping):
        return None, None
    baseline, turn = (found.get(key) for key in ("baseline", "rotation_deg"))
    return _positive(baseline), _positive(turn)


def _positive(value: object) -> float | None:
    usable = isinstance(value, int | float) and np.isfinite(value) and value > 0
    return float(value) if usable and isinstance(value, int | float) else None


def _place(camera: Document, key: str) -> Rigid:
    values = camera.numbers(key)
    if len(values) != 16:
        raise ValueError(f"{key} has {len(values)} values, not 16")
    return Rigid.from_matrix(np.array(values).reshape(4, 4))


def _kalibr(rig: RigFile) -> str:
    if not rig.metric:
        raise OutputError(
            "Kalibr's places are in metres, and this rig's unit is unknown.",
            hint="Calibrate with --square-mm, the edge of the board's squares in millimetres.",
        )
    parts, before = [], None
    for number, camera in enumerate(rig.cameras.values()):
        parts.append(f"cam{number}:\n")
        if before is not None:
            rows = (camera.cam_from_first @ before.inverse()).matrix().tolist()
            parts += ["  T_cn_cnm1:\n", *[f"  - {row}\n" for row in rows]]
        parts.append(kalibr_camera(camera.intrinsics) + f"  rostopic: /cam{number}/image_raw\n")
        before = camera.cam_from_first
    return "".join(parts)


def _colmap(rig: RigFile) -> list[object]:
    """For `colmap rig_configurator`: each camera's photos lie in a folder of its name."""
    members: list[dict[str, object]] = []
    for name, camera in rig.cameras.items():
        try:
            model, params = colmap_from_intrinsics(camera.intrinsics)
        except IntrinsicsError as error:
            raise no_thin_prism("COLMAP") from error
        place: dict[str, object] = {"ref_sensor": True}
        if members:
            place = {
                "cam_from_rig_rotation": quaternion_wxyz(camera.cam_from_first.rotation),
                "cam_from_rig_translation": camera.cam_from_first.translation.tolist(),
            }
        members.append(
            {
                "image_prefix": f"{name}/",
                **place,
                "camera_model_name": model,
                "camera_params": [float(value) for value in params],
            }
        )
    return [{"cameras": members}]
