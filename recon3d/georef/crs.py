"""Coordinate reference systems, by pyproj."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from jaxtyping import Float

from recon3d.core.errors import ConfigError

_UTM = re.compile(r"wgs\s*-?84[\s/]+utm\s*(?:zone)?\s*(\d{1,2})\s*([ns])", re.IGNORECASE)
_NAMED = re.compile(r"(epsg:|esri:|ogc:|\+proj|\+init|wgs\s*-?84|(proj|geog|comp|bound)?crs\[|"
                    r"(proj|geog|compd)cs\[)", re.IGNORECASE)  # fmt: skip
_HINT = "Name it by its number, such as EPSG:25832 for UTM zone 32 of Europe."


def looks_like_crs(text: str) -> bool:
    """Whether a line names a coordinate reference system, right or wrong."""
    return _NAMED.match(text.strip()) is not None


def parse_crs(text: str, said_by: str) -> str:
    """A system as pyproj reads it: EPSG:25832, a proj string, WKT, or "WGS84 UTM 32N" as ODM says.

    said_by: who names it, for the message.

    Raises:
        ConfigError: it is unknown.
    """
    text = text.strip()
    if utm := _UTM.fullmatch(text):
        zone, is_south = int(utm[1]), utm[2].lower() == "s"
        text = f"EPSG:{(32700 if is_south else 32600) + zone}"
    elif text.isdigit():
        text = f"EPSG:{text}"
    _crs(text, said_by)
    return text


def is_geographic(crs: str) -> bool:
    """Whether its coordinates are longitudes and latitudes."""
    return bool(_crs(crs, "").is_geographic)


def check_metres(crs: str, said_by: str) -> None:
    """Refuse systems that cannot be a model's frame.

    Raises:
        ConfigError: it does not count metres east, north and up.
    """
    found = _crs(crs, said_by)
    units = sorted({axis.unit_name for axis in found.axis_info})
    if found.is_geocentric or units != ["metre"]:
        how = "from the middle of the earth" if found.is_geocentric else "in " + ", ".join(units)
        raise ConfigError(
            f"{said_by} names {name_of(crs)}, which counts {how}.",
            hint="Choose a projected system in metres, such as the UTM zone.",
        )


def name_of(crs: str) -> str:
    """For people: EPSG:25832 (ETRS89 / UTM zone 32N)."""
    name = str(_crs(crs, "").name)
    return crs if name in ("unknown", crs) else f"{crs} ({name})" if len(crs) < 30 else name


def wkt_of(crs: str) -> str:
    """For other libraries."""
    return str(_crs(crs, "").to_wkt())


def utm_zone(longitude_deg: float, latitude_deg: float) -> str:
    """The UTM zone of WGS 84 around a place."""
    zone = int((longitude_deg + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if latitude_deg >= 0 else 32700) + zone}"


def transform(
    points: Float[np.ndarray, "n 3"], source: str, target: str
) -> Float[np.ndarray, "n 3"]:
    """Coordinates in another system, x before y (east or longitude first) in both.

    Heights stay as they are unless both systems say what theirs are from.

    Raises:
        ConfigError: the target does not reach there.
    """
    from pyproj import Transformer

    transformer = Transformer.from_crs(_crs(source, ""), _crs(target, ""), always_xy=True)
    moved = np.stack(transformer.transform(*points.T), axis=1)
    if not np.isfinite(moved).all():
        raise ConfigError(f"{name_of(target)} does not reach to where the model is.", hint=_HINT)
    return moved


def _crs(text: str, said_by: str) -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigError(
            f'{said_by} names the coordinate reference system "{text[:60]}", which is unknown.',
            hint=_HINT,
        ) from error
