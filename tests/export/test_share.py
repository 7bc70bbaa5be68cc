"""Pages to send: what is in them, that nothing hostile is, and how large they get."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import struct
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from shared_pages import box_scene, share_box
from textured_box import textured_box

from recon3d.cli.display import make_display
from recon3d.cli.share import Share
from recon3d.core.errors import Cancelled, InputError, OutputError
from recon3d.export.meshes import write_mesh
from recon3d.export.share import photos, three_js, write_glb_page
from recon3d.export.share.page import _HERE, _SCRIPTS, _WORDS
from recon3d.language import speak
from recon3d.run.task import CancelToken

HOSTILE = "</script><script>alert(1)</script><!--model--><img src=x onerror=alert(2)>\"'&\u202e"


class Page(HTMLParser):
    """Tags with their attributes, and the text of elements by id or, without one, by tag."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._inside = dict(attributes).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, text: str) -> None:
        self.texts[self._inside] = self.texts.get(self._inside, "") + text

    @property
    def policy(self) -> str:
        (found,) = [a["content"] for tag, a in self.tags if tag == "meta" and "http-equiv" in a]
        assert found
        return found

    def unpacked(self, name: str) -> bytes:
        return gzip.decompress(base64.b64decode(self.texts[name], validate=True))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(share_box(tmp_path_factory.mktemp("page") / "die Kirche ü.html"))


def test_the_model_comes_out_of_the_page_as_it_went_in(page: Page, tmp_path: Path) -> None:
    (tmp_path / "box.glb").write_bytes(page.unpacked("model"))
    found = trimesh.load(tmp_path / "box.glb", force="mesh")
    np.testing.assert_allclose(found.bounds, [[-1, 0, -0.5], [1, 3, 0.5]], atol=1e-6)
    assert page.texts["title"] == page.texts["h1"] == "die Kirche ü"


def test_the_cameras_stand_where_the_photos_were_taken(page: Page) -> None:
    scene = json.loads(page.texts["scene"])
    assert scene["unit"] == "metre"
    views = box_scene().views
    assert [camera["name"] for camera in scene["cameras"]] == [view.photo_id for view in views]
    for camera, view in zip(scene["cameras"], views, strict=True):
        matrix = np.reshape(camera["cam_from_model"], (3, 4))
        x, y, z = view.centre_world
        # The page is y-up: z-up's (x, y, z) is (x, z, -y).
        np.testing.assert_allclose(-matrix[:, :3].T @ matrix[:, 3], [x, z, -y], atol=1e-6)
        assert camera["photo"].startswith("data:image/webp;base64,")


def test_nothing_runs_but_what_is_ours_and_nothing_reaches_the_network(page: Page) -> None:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    policy = dict(part.strip().split(" ", 1) for part in page.policy.split(";"))
    own, library = page.texts["script"], page.unpacked("three").decode()
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'sha256-{digest(own)}' 'sha256-{digest(library)}'"
    assert policy["style-src"] == f"'sha256-{digest(page.texts['style'])}'"
    assert set(page.policy.split()) & {"data:", "blob:"}
    assert not re.search(r"unsafe|https?:|\*|'self'", page.policy)
    outside = [value for _, a in page.tags for name, value in a.items() if name in ("src", "href")]
    assert not outside
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]


@pytest.mark.parametrize("name", [f"{name}.js" for name in _SCRIPTS] + ["page.css"])
def test_scripts_of_our_own_end_no_element_and_are_all_in_the_page(name: str) -> None:
    text = (_HERE / name).read_text(encoding="utf-8")
    assert not re.search(r"</|<!--|https?://", text)
    assert {path.stem for path in _HERE.glob("*.js")} == set(_SCRIPTS)


def test_scripts_speak_the_language_of_the_page(tmp_path: Path) -> None:
    used = {
        name
        for script in _HERE.glob("*.js")
        for name in re.findall(r"WORDS\.(\w+)", script.read_text(encoding="utf-8"))
    }
    speak("de")
    try:
        page = Page(share_box(tmp_path / "page.html"))
    finally:
        speak("en")
    told = json.loads(page.texts["words"])
    assert set(told) == used
    assert told["units"] == "Einheiten"
    assert not set(told.values()) & set(_WORDS.values())


def test_names_cannot_bring_markup_or_scripts_into_the_page(page: Page, tmp_path: Path) -> None:
    scene = box_scene()
    hostile = replace(scene, views=tuple(replace(v, photo_id=HOSTILE) for v in scene.views[:1]))
    name = HOSTILE.replace("/", "")
    found = Page(share_box(tmp_path / f"{name}.html", hostile))
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in page.tags]
    assert json.loads(found.texts["scene"])["cameras"][0]["name"] == HOSTILE.replace(
        "\u202e", "\ufffd"
    )
    assert found.texts["title"] == name.replace("\u202e", "\ufffd")
    assert found.unpacked("model")


def test_pages_are_no_larger_than_promised(tmp_path: Path) -> None:
    # Noise is the worst there is: nothing gets smaller by packing.
    rng = np.random.default_rng(0)
    noise = (tmp_path / "noise.glb", rng.bytes(1_000_000))
    noise[0].write_bytes(noise[1])
    scene = box_scene(20)
    noisy = rng.integers(0, 255, (96, 128, 3), np.uint8)
    pictures = dict.fromkeys((view.photo_id for view in scene.views), noisy)
    written = share_box(
        tmp_path / "page.html", scene, pictures, write_model=lambda glb: noise[0].replace(glb)
    )
    assert written.stat().st_size <= 1.37 * 1_000_000 + 700_000
    assert Page(written).unpacked("model") == noise[1]
    assert all("photo" in camera for camera in json.loads(Page(written).texts["scene"])["cameras"])


def test_photos_share_the_room_and_some_go_without_where_it_is_small() -> None:
    rng = np.random.default_rng(0)
    ids = [str(n) for n in range(40)]
    pictures = dict.fromkeys(ids, rng.integers(0, 255, (30, 40, 3), np.uint8))
    told: list[str] = []
    few = photos.small_photos(ids, pictures, 10 * photos._LEAST_BYTES, told.append)
    assert list(few) == ids[::4]
    assert told == [f"photo of {each}" for each in few]
    assert sum(map(len, few.values())) <= 10 * photos._LEAST_BYTES
    assert photos.small_photos(ids, pictures, 0, told.append) == {}


def test_the_same_model_gives_the_same_page(tmp_path: Path) -> None:
    first = share_box(tmp_path / "a" / "box.html").read_bytes()
    assert share_box(tmp_path / "b" / "box.html").read_bytes() == first


def test_who_stops_it_finds_nothing_half_written(tmp_path: Path) -> None:
    def stop() -> None:
        raise Cancelled

    (tmp_path / "box.html").write_text("before")
    with pytest.raises(Cancelled):
        share_box(tmp_path / "box.html", check=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["box.html"]
    assert (tmp_path / "box.html").read_text() == "before"


def test_the_installed_trimesh_brings_three_js() -> None:
    library = three_js.three_js()
    assert library.lstrip().startswith("/**\n * @license\n * Copyright")
    assert "TrackballControls" in library
    assert "$B64GLTF" not in library
    assert "</script" not in library


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_trimesh_without_three_js_is_told(
    content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trimesh.resources, "get_bytes", lambda _: content)
    with pytest.raises(OutputError, match="trimesh") as caught:
        share_box(tmp_path / "box.html")
    assert "pip install" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def glb(path: Path, document: Any) -> Path:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A)
    path.write_bytes(header + text)
    return path


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"buffers": [{"uri": "https://example.org/a.bin", "byteLength": 4}]}, "elsewhere"),
        ({"images": [{"uri": "../../etc/passwd"}]}, "elsewhere"),
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "draco"),
        ([1, 2], "cannot be read"),
        (b"{", "cannot be read"),
    ],
)
def test_a_glb_that_a_page_could_not_show_is_refused(
    document: Any, why: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=why):
        write_glb_page(tmp_path / "a.html", glb(tmp_path / "a.glb", document), lambda: None)
    assert not (tmp_path / "a.html").exists()


def share(model: str, output: Path | None = None) -> None:
    """`recon3d share` without a process of its own."""
    with make_display("quiet") as display:
        Share(model=Path(model), output=output).run(display, CancelToken())


def test_the_command_shares_a_glb_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_mesh(tmp_path / "box.glb", textured_box())
    share("box.glb")
    page = Page(tmp_path / "box.html")
    assert page.unpacked("model") == (tmp_path / "box.glb").read_bytes()
    assert json.loads(page.texts["scene"]) == {"unit": "scene", "cameras": []}
    (tmp_path / "short.glb").write_bytes((tmp_path / "box.glb").read_bytes()[:-9])
    for model in ("missing.glb", "short.glb", "missing.recon3d", "missing.r3d"):
        with pytest.raises(InputError, match=model):
            share(model)
    with pytest.raises(OutputError, match=r"\.html"):
        share("box.glb", Path("box.pdf"))
    assert {path.name for path in tmp_path.iterdir()} == {"box.glb", "box.html", "short.glb"}
