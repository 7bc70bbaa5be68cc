"""Letters that can be read on a colour, by the measure of WCAG 2.1."""

from __future__ import annotations

Colour = tuple[int, int, int, int]

READABLE = 4.5
"""Least contrast of text (WCAG 2.1, level AA)."""
_INKS: tuple[Colour, Colour] = ((16, 18, 22, 255), (255, 255, 255, 255))


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, 0 to 1."""
    red, green, blue = (_linear(each / 255) for each in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Colour, second: Colour) -> float:
    """From 1, which cannot be read, to 21."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def ink_on(ground: Colour) -> Colour:
    """Dark or light, whichever is read better on a ground."""
    return max(_INKS, key=lambda ink: contrast(ink, ground))


def shaded(colour: Colour, light: float) -> Colour:
    """A colour that is brighter (above 1) or darker."""
    red, green, blue = (min(255, round(light * each)) for each in colour[:3])
    return red, green, blue, 255


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
