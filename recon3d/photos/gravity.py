"""Which way was down when a photo was taken, told by the sensors of phones and drones."""

from __future__ import annotations

import math
import re
import struct

import numpy as np
from jaxtyping import Float
from PIL import Image
from PIL.ExifTags import IFD, Base

from recon3d.core.orientation import turn_pixels
from recon3d.photos.broken import or_else

_APPLE, _ACCELERATION, _SIGNED_RATIONAL = b"Apple iOS\x00", 0x0008, 10
# Held still the sensor feels 1 g; further off it was being shaken.
_STILL_G = (0.9, 1.1)
_ANGLES = (
    (re.compile(rb"drone-dji:GimbalPitchDegree(?:=\"|>)\s*([-+]?[\d.]+)"),
     re.compile(rb"drone-dji:GimbalRollDegree(?:=\"|>)\s*([-+]?[\d.]+)")),
    (re.compile(rb"GPano:PosePitchDegrees(?:=\"|>)\s*([-+]?[\d.]+)"),
     re.compile(rb"GPano:PoseRollDegrees(?:=\"|>)\s*([-+]?[\d.]+)")),
)  # fmt: skip
# Some drones write a roll of 180 with pitches past the vertical; their words are not clear.
_MOST_ROLL_DEG = 60.0
_MOST_XMP_BYTES = 1 << 20


def read_down(image: Image.Image, orientation: int) -> tuple[float, float, float] | None:
    """The unit direction of gravity in the upright photo's camera frame: right, down, forward.

    orientation: how EXIF turns the stored pixels.

    Apple's maker note has the accelerometer, DJI's XMP the gimbal, Google's the pose. None where
    the photo does not say, or where it was shaken.
    """
    down = or_else(lambda: _down(image, orientation), None)
    if down is None or not np.isfinite(down).all():
        return None
    x, y, z = (down / np.linalg.norm(down)).tolist()
    return (x, y, z)


def _down(image: Image.Image, orientation: int) -> Float[np.ndarray, "3"] | None:
    down = _from_accelerometer(image)
    if down is None:
        # Of the picture as it is seen, like all that XMP says.
        return _from_angles(image)
    # HEIF's decoder turns pixels itself and keeps apart what EXIF said.
    orientation = image.info.get("original_orientation") or orientation
    # A direction turns like the pixels of a picture of no size.
    return np.array([*turn_pixels(down[:2], (0, 0), orientation), down[2]])


def _from_accelerometer(image: Image.Image) -> Float[np.ndarray, "3"] | None:
    """In the frame of the stored pixels.

    The phone's axes, as seen by who looks at its screen: x right, y to its top, z towards the
    viewer. The camera looks out of its back, and the first stored pixel lies at the screen's upper
    right corner: home button right is orientation 1.
    """
    tags = image.getexif().get_ifd(IFD.Exif)
    note = tags.get(Base.MakerNote)
    # The camera in front sees all of it mirrored.
    if not isinstance(note, bytes) or "front" in str(tags.get(Base.LensModel, "")).lower():
        return None
    acceleration = _apple_acceleration(note)
    if acceleration is None:
        return None
    x, y, z = acceleration
    return np.array([-y, -x, -z])


def _apple_acceleration(note: bytes) -> tuple[float, float, float] | None:
    if not note.startswith(_APPLE):
        return None
    order = {b"MM": ">", b"II": "<"}[note[12:14]]
    (count,) = struct.unpack_from(f"{order}H", note, 14)
    for entry in range(min(count, 200)):
        tag, kind, length, place = struct.unpack_from(f"{order}HHII", note, 16 + 12 * entry)
        if (tag, kind, length) == (_ACCELERATION, _SIGNED_RATIONAL, 3):
            parts = struct.unpack_from(f"{order}6i", note, place)
            x, y, z = (top / bottom for top, bottom in zip(parts[::2], parts[1::2], strict=True))
            return (x, y, z) if _STILL_G[0] < math.hypot(x, y, z) < _STILL_G[1] else None
    return None


def _from_angles(image: Image.Image) -> Float[np.ndarray, "3"] | None:
    """In the frame of the upright photo."""
    xmp = image.info.get("xmp", b"")
    if not isinstance(xmp, bytes):
        return None
    for pitch_pattern, roll_pattern in _ANGLES:
        found = [pattern.search(xmp[:_MOST_XMP_BYTES]) for pattern in (pitch_pattern, roll_pattern)]
        if not found[0]:
            continue
        pitch, roll = (float(match[1]) if match else 0.0 for match in found)
        if abs(pitch) > 90.5 or abs(roll) > _MOST_ROLL_DEG:
            continue
        pitch, roll = math.radians(pitch), math.radians(roll)
        # Pitch above the horizon; with roll above 0 the right side hangs down.
        return np.array(
            [
                math.sin(roll) * math.cos(pitch),
                math.cos(roll) * math.cos(pitch),
                -math.sin(pitch),
            ]
        )
    return None
