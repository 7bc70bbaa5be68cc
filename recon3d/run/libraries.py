"""Libraries of the operating system that Python packages need and pip cannot install."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from recon3d.core.errors import MissingSystemLibraryError

_DEBIAN_PACKAGES = {
    "libEGL.so": "libegl1",
    "libGL.so": "libgl1",
    "libX11.so": "libx11-6",
    "libglib-2.0.so": "libglib2.0-0",
    "libgomp.so": "libgomp1",
    "libgthread-2.0.so": "libglib2.0-0",
    "libidn2.so": "libidn2-0",
    "libudev.so": "libudev1",
    "libusb-1.0.so": "libusb-1.0-0",
}
_ALL = "libusb-1.0-0 libgl1 libegl1 libgomp1 libglib2.0-0"
"""What Open3D and OpenCV need on a bare Debian; one missing library is seldom alone."""


@contextmanager
def explain_missing_libraries() -> Iterator[None]:
    """Turn the import error of a package whose system library is missing into advice.

    Raises:
        MissingSystemLibraryError: says which library is missing and how to install it.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        advice = missing_library_advice(str(error))
        if not advice:
            raise
        raise MissingSystemLibraryError(
            f"A library of the operating system is missing: {error}.", hint=advice
        ) from error


def missing_library_advice(message: str) -> str:
    """What to install after a dynamic loader's message; empty for any other message."""
    missing = re.search(r"(lib[\w.+-]+?\.so)[\w.]*: cannot open shared object file", message)
    if missing:
        package = _DEBIAN_PACKAGES.get(missing[1])
        extra = f" {package}" if package and package not in _ALL else ""
        return f"On Debian or Ubuntu: sudo apt-get install {_ALL}{extra}"
    if "DLL load failed" in message:
        return "Install the Microsoft Visual C++ Redistributable (x64) and try again."
    return ""
