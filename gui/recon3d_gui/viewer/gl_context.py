"""A graphics context without a window."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from recon3d.core.errors import ReconError

if TYPE_CHECKING:
    import moderngl

# Names of drivers that draw on the processor.
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "basic render")


class NoGraphicsError(ReconError):
    """No context of OpenGL 3.3 can be made here."""


def make_context() -> moderngl.Context:
    """OpenGL 3.3 or later; on Linux through EGL, which needs no display, else through X.

    Raises:
        NoGraphicsError: the system has no such OpenGL; says what each way ended in.
    """
    reasons = []
    for backend in ("egl", None) if sys.platform == "linux" else (None,):
        try:
            import moderngl

            options: dict[str, Any] = {"backend": backend} if backend else {}
            return moderngl.create_context(standalone=True, require=330, **options)
        except Exception as error:  # drivers fail in every way there is
            reasons.append(f"{backend or 'default'}: {error or type(error).__name__}")
    raise NoGraphicsError("OpenGL 3.3 cannot be used here.", hint="; ".join(reasons))


def is_software(renderer: str) -> bool:
    """Whether a driver draws on the processor, by its name."""
    return any(name in renderer.lower() for name in _SOFTWARE)
