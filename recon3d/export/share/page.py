"""The page: a template, scripts of our own, three.js, a model and photos in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup

from recon3d.core.printable import printable
from recon3d.core.scene import PosedScene, Unit, View
from recon3d.export.share.glb_files import check_stands_alone
from recon3d.export.share.photos import small_photos
from recon3d.export.share.three_js import LICENCE, three_js
from recon3d.language import translate, word
from recon3d.run.files import atomic_files
from recon3d.run.templates import page_template

_HERE = Path(__file__).parent
_SCRIPTS = (
    "words", "model", "orbit", "gestures", "cameras", "ruler", "viewer", "controls", "boot",
)  # fmt: skip
_WORDS = word({
    "old_browser": "This browser is too old for 3D pages. Firefox 113, Chrome 80 or Safari 16.4 "
    "will do.",
    "no_webgl": "This browser cannot show 3D: WebGL is missing or switched off.",
    "too_large": "The model is too large for this device's graphics. Close other pages and load "
    "this one again.",
    "damaged": "This page is damaged, or was cut short on its way.",
    "no_point": "Click two points of the model.",
    "one_point": "Click the second point.",
    "no_scale": "The model's true size is not known: lengths are in units of its own.",
    "units": "units",
})  # fmt: skip
"""What the scripts say, by the name that they know it by."""
_SCENE, _MODEL = "<!--scene-->", "<!--model-->"
"""Where what is told and the model go; nothing that is escaped can look like them."""
_ROOM_BYTES, _ROOM_PER_BYTE = 700_000, 0.03
"""For all but the model, and for each byte of that. Base64 makes 4 letters of 3 bytes, so a page
takes at most 1.37 times as much as the model, and these 0.7 MB."""
_CHUNK = 3 << 20


def write_page(
    target: Path,
    scene: PosedScene,
    pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]],
    write_model: Callable[[Path], None],
    step: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    """Write one HTML file that shows a model, its cameras and their photos; it needs no network.

    Args:
        target: Ends in .html; its name is the page's title.
        scene: The cameras, y-up.
        pictures: By photo id, the undistorted pictures; empty for a page without photos.
        write_model: Writes the model of the same scene, y-up, to a .glb.
        step: Told of each photo; raises Cancelled when the user wants to stop.
        check: Called often meanwhile, likewise.

    Raises:
        OutputError: the place cannot be written, or three.js is missing.
    """
    # The model lies on the disk in between, for it may be larger than memory.
    with atomic_files(target.parent) as folder:
        glb = folder / "model.glb"
        write_model(glb)
        _write(folder / target.name, glb, scene.unit, scene.views, pictures, step, check)
        glb.unlink()


def write_glb_page(target: Path, glb: Path, check: Callable[[], None]) -> None:
    """Write one HTML file that shows a .glb, of which neither cameras nor unit are known.

    check: Called often; raises Cancelled when the user wants to stop.

    Raises:
        InputError: the file is missing, damaged, or does not hold all of its model.
        OutputError: the place cannot be written, or three.js is missing.
    """
    check_stands_alone(glb)
    with atomic_files(target.parent) as folder:
        _write(folder / target.name, glb, "scene", (), {}, lambda note: None, check)


def _write(
    target: Path,
    glb: Path,
    unit: Unit,
    views: Sequence[View],
    pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]],
    step: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    page = _page(target.stem)
    taken = len(page.encode()) + len(_scene(unit, views, {}))
    room_bytes = _ROOM_BYTES + round(_ROOM_PER_BYTE * glb.stat().st_size) - taken
    ids = [view.photo_id for view in views] if pictures else []
    photos = small_photos(ids, pictures, max(0, room_bytes), step)
    before, rest = page.split(_SCENE)
    between, after = rest.split(_MODEL)
    with target.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(before + _scene(unit, views, photos) + between)
        for piece in _packed(_chunks(glb)):
            stream.write(piece)
            check()
        stream.write(after)


def _page(title: str) -> str:
    """All but scene and model; the title is escaped, and no script runs that is not ours."""
    library = three_js()
    style = _own("page.css")
    script = "\n".join(['"use strict";', *(_own(f"{name}.js") for name in _SCRIPTS)])
    policy = (
        f"default-src 'none'; script-src {_digest(script)} {_digest(library)}; "
        f"style-src {_digest(style)}; img-src data: blob:; connect-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return page_template(_HERE / "page.html.j2").render(
        title=printable(title),
        policy=policy,
        licence=Markup(LICENCE),
        style=Markup(style),
        words=Markup(_json({name: translate(text) for name, text in _WORDS.items()})),
        script=Markup(script),
        three="".join(_packed([library.encode()])),
    )


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a Content-Security-Policy names what may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _scene(unit: Unit, views: Sequence[View], photos: Mapping[str, str]) -> str:
    """What the viewer is told besides the model."""
    return _json({"unit": unit, "cameras": [_camera(view, photos) for view in views]})


def _json(told: Mapping[str, object]) -> str:
    """JSON that ends no element it lies in."""
    return json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")


def _camera(view: View, photos: Mapping[str, str]) -> dict[str, object]:
    """What cameras.js knows of one; seven digits are finer than a pixel."""
    camera = view.camera
    numbers = view.cam_from_world.matrix()[:3].ravel().tolist()
    told = {
        "name": printable(view.photo_id),
        "width": camera.width_px,
        "height": camera.height_px,
        "fx": camera.fx_px,
        "fy": camera.fy_px,
        "cx": camera.cx_px,
        "cy": camera.cy_px,
        "cam_from_model": [float(f"{number:.7g}") for number in numbers],
    }
    if view.photo_id in photos:
        told["photo"] = photos[view.photo_id]
    return told


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _packed(chunks: Iterable[bytes]) -> Iterator[str]:
    """Base64 of gzip, which browsers undo by themselves."""
    press = zlib.compressobj(level=9, wbits=16 + zlib.MAX_WBITS)
    rest = b""
    for chunk in chunks:
        rest += press.compress(chunk)
        whole = len(rest) - len(rest) % 3
        yield base64.b64encode(rest[:whole]).decode()
        rest = rest[whole:]
    yield base64.b64encode(rest + press.flush()).decode()
