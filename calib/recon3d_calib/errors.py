"""What can be wrong with photos of a board."""

from recon3d.core.errors import InputError


class BoardError(InputError):
    """The photos do not show the board that was asked for; says which they show where it can."""


class CalibrationError(InputError):
    """The photos show the board, but not so that the camera follows from them."""
