"""Draws the program's icon: a gem of triangles, as every model is. Run it by hand to change it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

_PX = 1024
_CORNERS = {
    "top": (512, 132), "left": (186, 330), "right": (838, 330), "low left": (186, 694),
    "low right": (838, 694), "bottom": (512, 892), "middle": (512, 470),
}  # fmt: skip
_FACES = (
    (("top", "right", "middle"), (148, 194, 255)),
    (("top", "left", "middle"), (94, 158, 255)),
    (("left", "low left", "middle"), (52, 112, 214)),
    (("low left", "bottom", "middle"), (36, 84, 172)),
    (("bottom", "low right", "middle"), (58, 120, 226)),
    (("low right", "right", "middle"), (112, 170, 255)),
)


def make_icon() -> Image.Image:
    """Of 256 pixels, on a dark ground with round corners."""
    picture = Image.new("RGBA", (_PX, _PX), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, _PX - 1, _PX - 1), radius=220, fill=(24, 26, 30, 255))
    for names, colour in _FACES:
        corners = [_CORNERS[name] for name in names]
        draw.polygon(corners, fill=(*colour, 255))
        draw.line([*corners, corners[0]], fill=(24, 26, 30, 255), width=14, joint="curve")
    return picture.resize((256, 256), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    icon, folder = make_icon(), Path(__file__).parent
    icon.save(folder / "icon.png", optimize=True)
    icon.save(folder / "icon.ico", sizes=[(16, 16), (32, 32), (48, 48), (256, 256)])
