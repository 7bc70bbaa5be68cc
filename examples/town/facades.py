"""What stands on the ground looks like this: walls, roofs, leaves; linear RGB albedo.

`own` is a number of the house, the tree or the car, `width` how wide a pixel is there, metres.
"""

from __future__ import annotations

import math

from town.ground import (
    BRICK,
    FLAT,
    GLASS,
    LEAVES,
    TILES,
    WALL,
    WOODEN,
    Colour,
    away,
    chance,
    compiled,
    dim,
    line,
    mix,
    noise,
    octaves,
)


@compiled
def wall(u: float, v: float, own: int, width: float) -> Colour:
    """A facade; u counts its windows, v metres above the ground floor."""
    tone, kind = chance(own, 1, 7), chance(own, 2, 7)
    x = 2.6 * u
    rough = octaves(x, v, 0.9, 4, own & 1023, width)
    streaks = octaves(3 * x, v / 3, 2.0, 4, (own & 1023) + 5, width)
    if kind < 0.3:
        shift = 0.12 * (math.floor(v / 0.08) % 2)
        brick = chance(math.floor(v / 0.08), math.floor((x + shift) / 0.24), own)
        colour = dim((0.27 + 0.1 * tone, 0.13, 0.09), 0.7 + 0.6 * brick)
        bed = max(
            line(away(v, 0.08), 0.008, width), 0.5 * line(away(x + shift, 0.24), 0.008, width)
        )
        colour = mix(colour, (0.38, 0.35, 0.31), bed)
    else:
        colour = mix((0.58, 0.55, 0.49), (0.52, 0.38, 0.2), 1.6 * tone - 0.6)
        colour = mix(colour, (0.46, 0.3, 0.26), 6 * kind - 5.0)
        if kind > 0.9:
            beam = max(line(away(x, 1.3), 0.1, width), line(away(v - 0.3, 1.4), 0.1, width))
            colour = mix((0.6, 0.56, 0.47), (0.1, 0.06, 0.04), beam)
    colour = dim(colour, 1 + 0.14 * rough + 0.16 * streaks)
    if v < 0.6:
        return dim((0.2, 0.19, 0.18), 1 + 0.3 * rough)
    storey = math.floor(v / 2.9)
    column = math.floor(u)
    a, b = (u - column - 0.5) * 2.6, v - 2.9 * storey
    half = 0.42 + 0.25 * chance(own, 3, 7)
    sill, top = 0.95, 2.1 + 0.25 * chance(own, 4, 7)
    one = chance(column, storey, own)
    if storey == 0 and one < 0.18:
        half, sill = 0.5, 0.1
    if one > 0.93:
        return colour
    frame = min(half + 0.12 - abs(a), min(b - sill + 0.12, top + 0.12 - b))
    if frame > 0:
        colour = dim((0.62, 0.6, 0.56), 1 + 0.15 * rough)
        pane = min(half - abs(a), min(b - sill, top - b))
        bars = max(line(a, 0.04, width), line(b - sill - 0.8, 0.04, width))
        if pane > 0:
            dark = dim((0.05, 0.065, 0.08), 0.6 + 1.8 * one + 0.4 * (b - sill))
            if sill < 0.5:
                dark = (0.05 + 0.3 * chance(own, 5, 7), 0.07, 0.05 + 0.1 * tone)
            colour = mix(dark, colour, bars)
    elif chance(own, 6, 7) < 0.45 and abs(a) < 1.95 * half and sill < b < top and sill > 0.5:
        slats = line(away(b, 0.12), 0.03, width)
        wood = (0.08 + 0.2 * tone, 0.1 + 0.12 * chance(own, 8, 7), 0.06 + 0.15 * kind)
        colour = dim(wood, 1 - 0.5 * slats)
    return colour


@compiled
def tiles(u: float, v: float, own: int, width: float) -> Colour:
    """A roof; u metres along its ridge, v down from it."""
    tone, kind = chance(own, 11, 7), chance(own, 12, 7)
    rough = octaves(u, v, 1.4, 4, own & 1023, width)
    worn = octaves(u, v / 2, 4.5, 4, (own & 1023) + 5, width)
    one = chance(math.floor(u / 0.3), math.floor(v / 0.36), own)
    if kind < 0.55:
        colour = mix((0.38, 0.13, 0.07), (0.24, 0.1, 0.065), tone)
    elif kind < 0.75:
        colour = mix((0.17, 0.115, 0.085), (0.11, 0.085, 0.075), tone)
    else:
        colour = mix((0.085, 0.088, 0.095), (0.14, 0.15, 0.165), tone)
    # Single tiles differ, more so where some were replaced.
    colour = dim(colour, (0.72 + 0.56 * one) * (1 + 0.25 * rough + 0.3 * worn))
    shadow = max(line(away(v, 0.36), 0.045, width), 0.6 * line(away(u, 0.3), 0.03, width))
    colour = dim(colour, 1 - 0.45 * shadow)
    moss = 1.2 * (worn + rough - 0.9 + 0.7 * chance(own, 13, 7))
    colour = mix(colour, (0.1, 0.1, 0.055), min(moss, 0.6))
    if chance(own, 14, 7) < 0.3:
        # Solar panels.
        a, b = u - 1.2 + 6 * chance(own, 15, 7), v - 0.8
        if 0 < a < 1.02 * (3 + int(4 * tone)) and 0 < b < 3.4:
            seam = max(line(away(a, 1.02), 0.035, width), line(away(b, 1.7), 0.035, width))
            cells = max(line(away(a, 0.17), 0.008, width), line(away(b, 0.17), 0.008, width))
            panel = dim((0.02, 0.028, 0.055), 1 + 0.6 * cells + 0.25 * rough)
            return mix(panel, (0.35, 0.36, 0.38), seam)
    column = math.floor(u / 2.7)
    if chance(column, 16, own) < 0.28:
        # A window in the roof.
        a, b = abs(u - 2.7 * column - 1.35), abs(v - 1.9)
        if a < 0.52 and b < 0.72:
            return (0.07, 0.1, 0.13) if a < 0.42 and b < 0.6 else (0.3, 0.3, 0.3)
    return mix(colour, dim(colour, 0.55), line(v, 0.12, width))


@compiled
def flat_roof(u: float, v: float, own: int, width: float) -> Colour:
    """Gravel or felt in strips, mended here and there."""
    tone = chance(own, 21, 7)
    rough = octaves(u, v, 1.1, 4, own & 1023, width)
    cloud = octaves(u, v, 5.0, 4, (own & 1023) + 5, width)
    if tone < 0.5:
        grey = 0.27 * (1 + 0.3 * rough + 0.3 * cloud)
        colour = (grey, 0.96 * grey, 0.88 * grey)
    else:
        strip = chance(math.floor(u), math.floor(v / 7), own)
        grey = (0.1 + 0.07 * strip) * (1 + 0.2 * rough + 0.3 * cloud)
        colour = dim((grey, grey, 1.04 * grey), 1 - 0.4 * line(away(u, 1.0), 0.04, width))
    if chance(math.floor(u / 2.3), math.floor(v / 1.7), own) < 0.09:
        colour = dim(colour, 1.6 if tone > 0.5 else 0.55)
    puddle = min(max(5 * (cloud - 0.45), 0.0), 1.0)
    return mix(colour, (0.07, 0.075, 0.08), 0.7 * puddle)


@compiled
def leaves(x: float, y: float, z: float, own: int, width: float) -> Colour:
    """The crown of a tree, or a hedge."""
    tone, kind = chance(own, 31, 7), chance(own, 32, 7)
    # Seen along two slanted directions: along one alone it would be streaks.
    a, b, c, d = x + 0.5 * z, y - 0.4 * z, z + 0.3 * x, 0.7 * (x - y)
    twigs = 0.7 * (octaves(a, b, 1.4, 3, own & 1023, width) + noise(c / 1.1, d / 1.1, own & 511))
    shoots = 0.8 * (
        octaves(a, b, 0.5, 2, own & 255, width) + octaves(c, d, 0.4, 1, own & 127, width)
    )
    colour = mix((0.035, 0.075, 0.018), (0.1, 0.13, 0.03), tone)
    if kind > 0.86:
        colour = mix(colour, (0.17, 0.085, 0.03), tone)
    colour = mix(colour, (0.16, 0.17, 0.06), 0.4 * twigs + 0.4 * shoots)
    return dim(colour, max(0.2, 1 + 0.5 * twigs + 0.6 * shoots))


@compiled
def standing(
    kind: int, own: int, p: tuple[float, float, float], u: float, v: float, width: float
) -> Colour:
    """What a surface of that material looks like at a place p, where its texture is at u, v."""
    if kind == WALL:
        return wall(u, v, own, width)
    if kind == TILES:
        return tiles(u, v, own, width)
    if kind == FLAT:
        return flat_roof(u, v, own, width)
    if kind == LEAVES:
        return leaves(p[0], p[1], p[2], own, width)
    rough = octaves(u, v, 0.8, 3, own & 1023, width)
    if kind == GLASS:
        return dim((0.03, 0.036, 0.04), 1 + 0.3 * rough)
    if kind == WOODEN:
        plank = chance(math.floor(u / 0.14), 41, own)
        board = dim((0.23, 0.15, 0.09), 0.7 + 0.6 * plank + 0.2 * rough)
        return dim(board, 1 - 0.5 * line(away(u, 0.14), 0.012, width))
    if kind == BRICK:
        brick = chance(math.floor(u / 0.24), math.floor(v / 0.08), own)
        return dim((0.3, 0.14, 0.095), 0.7 + 0.5 * brick + 0.2 * rough)
    shade, hue = chance(own, 42, 7), chance(own, 43, 7)
    if shade < 0.6:
        grey = 0.03 + 0.6 * hue * hue
        return (grey, grey, 1.02 * grey)
    return (0.4 * hue * hue + 0.03, 0.05 + 0.06 * shade, 0.35 * (1 - hue) ** 2 + 0.03)
