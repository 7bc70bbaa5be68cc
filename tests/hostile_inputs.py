"""Files that lie, bite or lead elsewhere, and the commands that meet them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from forged_bytes import (
    CANARY,
    LAUGHS,
    OUTSIDER,
    YAML_LAUGHS,
    file_with,
    glb,
    jpeg_of,
    npy,
    pickled_array,
    picture,
    png,
    zip_of,
)
from hostile_photos import bad_photos
from PIL import Image


@dataclass(frozen=True)
class Hostile:
    """One input and the command that meets it."""

    name: str
    make: Callable[[Path], object]
    """Writes into an empty folder in which the command then runs; `photos` is filled already."""
    command: Sequence[str]
    says: str = ""
    """What the output has to say, as a regular expression."""


_LENS = {"width_px": 160, "height_px": 120, "fx_px": 150, "fy_px": 150, "cx_px": 80, "cy_px": 60}
_POSES = ("poses", "photos", "--preset", "draft", "--workers", "1", "-o", "out")
_WITH_POSES = (*_POSES, "--intrinsics", "K.json", "--poses")
_IDENTITY = np.eye(4).tolist()


def _poses_file(name: str, content: bytes | str) -> Callable[[Path], None]:
    def make(place: Path) -> None:
        (place / "K.json").write_text(json.dumps(_LENS))
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


def _frames(**changes: object) -> str:
    frames = [{"file_path": f"{n}.jpg", "transform_matrix": _IDENTITY} for n in range(3)]
    lens = {"fl_x": 150, "fl_y": 150, "cx": 80, "cy": 60, "w": 160, "h": 120}
    return json.dumps({**lens, "frames": frames, **changes})


def _frame(**changes: object) -> str:
    return _frames(frames=[{"file_path": "0.jpg", "transform_matrix": _IDENTITY, **changes}] * 3)


_CAMERAS: dict[str, bytes | str] = {
    "empty": "",
    "nested lists": "[" * 200_000,
    "nested objects": '{"a":' * 100_000,
    "number of 5000 digits": json.dumps(_LENS).replace("150", "1" + "0" * 5000, 1),
    "not a number": json.dumps({**_LENS, "fx_px": float("nan")}),
    "negative focal length": json.dumps({**_LENS, "fx_px": -150}),
    "focal length of nothing": json.dumps({**_LENS, "fx_px": None}),
    "focal length of a billion": json.dumps({**_LENS, "fx_px": 1e9}),
    "focal length that is true": json.dumps({**_LENS, "fx_px": True}),
    "size of text": json.dumps({**_LENS, "width_px": "wide"}),
    "size of 2^64": json.dumps({**_LENS, "width_px": 1 << 64, "height_px": 1 << 64}),
    "size of 0": json.dumps({**_LENS, "width_px": 0}),
    "keys twice": '{"fx_px": 1, "fx_px": 2}',
    "a list": json.dumps([_LENS]),
    "a word": '"camera"',
    "UTF-16": json.dumps(_LENS).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(_LENS).encode(),
    "noise": bytes(range(256)) * 100,
    "matrix of two rows": "150 0 80\n0 150 60\n",
    "matrix of words": "a b c\nd e f\ng h i\n",
    "matrix of infinity": "inf 0 80\n0 inf 60\n0 0 1\n",
    "matrix with skew": "150 900 80\n0 150 60\n0 0 1\n",
    "matrix upside down": "0 0 1\n0 150 60\n150 0 80\n",
    "KITTI line of three": "P2: 1 2 3\n",
    "COLMAP line of 2^64": "1 PINHOLE 18446744073709551616 120 150 150 80 60\n",
    "COLMAP model of nobody": "1 WORMHOLE 160 120 1 2 3\n",
    "COLMAP line without numbers": "1 PINHOLE 160 120\n",
    "a million columns": "1 " * 1_000_000,
}
_YAML_CAMERAS = {
    "YAML laughs": YAML_LAUGHS,
    "YAML that runs Python": f"a: !!python/object/apply:os.system ['echo bitten > ../{CANARY}']\n",
    "YAML of OpenCV without rows": "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   cols: 3\n",
    "YAML of OpenCV of 2^31 rows": "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n"
    "   rows: 2147483647\n   cols: 3\n   dt: d\n   data: [1]\n",
}
_XML_CAMERAS = {"XML laughs": LAUGHS, "XML from outside": OUTSIDER, "XML cut": OUTSIDER[:90]}

_POSE_FILES: dict[str, tuple[str, bytes | str]] = {
    "transforms.json without frames": ("t.json", "{}"),
    "transforms.json of frames that are a word": ("t.json", _frames(frames="all")),
    "transforms.json of a frame that is a number": ("t.json", _frames(frames=[1, 2, 3])),
    "transforms.json of 3 x 3": ("t.json", _frame(transform_matrix=np.eye(3).tolist())),
    "transforms.json of words": ("t.json", _frame(transform_matrix=[["a"] * 4] * 4)),
    "transforms.json of nothing": ("t.json", _frame(transform_matrix=None)),
    "transforms.json of zeros": ("t.json", _frame(transform_matrix=np.zeros((4, 4)).tolist())),
    "transforms.json of mirrors": (
        "t.json", _frame(transform_matrix=np.diag([-1.0, 1, 1, 1]).tolist())),
    "transforms.json of 1e308": (
        "t.json", _frame(transform_matrix=(np.eye(4) * 1e308).tolist())),
    "transforms.json of not a number": (
        "t.json", _frame(transform_matrix=np.full((4, 4), np.nan).tolist())),
    "transforms.json that leads out": ("t.json", _frame(file_path="../../../../etc/passwd")),
    "transforms.json of absolute paths": ("t.json", _frame(file_path="/etc/passwd")),
    "transforms.json of a name that is a list": ("t.json", _frame(file_path=["0.jpg"])),
    "transforms.json of a name with a NUL": ("t.json", _frame(file_path="0.jpg\0")),
    "transforms.json all at one place": ("t.json", _frames()),
    "transforms.json with lens k1 1e300": ("t.json", _frames(k1=1e300)),
    "transforms.json with a lens of words": ("t.json", _frames(fl_x="long")),
    "transforms.json of 200000 frames": (
        "t.json", _frames(frames=[{"file_path": "x", "transform_matrix": _IDENTITY}] * 200_000)),
    "LLFF that runs Python": ("poses_bounds.npy", pickled_array()),
    "LLFF of 10^18 numbers": ("poses_bounds.npy", npy("'<f8'", "(1000000000, 1000000000)")),
    "LLFF of a shape of words": ("poses_bounds.npy", npy("'<f8'", "('a', 'b')")),
    "LLFF of a head that runs Python": (
        "poses_bounds.npy", npy("'<f8'", f"(__import__('os').system('touch ../{CANARY}'),)")),
    "LLFF of not a number": (
        "poses_bounds.npy", npy("'<f8'", "(3, 17)", np.full(51, np.nan).tobytes())),
    "COLMAP binary of 2^59 photos": ("m/images.bin", struct.pack("<Q", 1 << 59) + bytes(64)),
    "COLMAP binary of a name without an end": (
        "m/images.bin", struct.pack("<QI7dI", 1, 1, *[1.0] * 7, 1) + b"a" * 5000),
    "COLMAP text of not a number": ("m/images.txt", "1 nan nan nan nan 0 0 0 1 0.jpg\n\n"),
    "COLMAP text of no turn": ("m/images.txt", "1 0 0 0 0 0 0 0 1 0.jpg\n\n"),
    "COLMAP text of a camera that is not": ("m/images.txt", "1 1 0 0 0 0 0 0 7 0.jpg\n\n"),
    "TUM of two columns": ("p.txt", "1 2\n" * 3),
    "TUM of infinity": ("p.txt", "0 inf 0 0 0 0 0 1\n" * 3),
    "TUM of no turn": ("p.txt", "".join(f"{n} 0 0 0 0 0 0 0\n" for n in range(3))),
    "KITTI of twelve words": ("p.txt", "a b c d e f g h i j k l\n" * 3),
    "Bundler of 10^12 cameras": ("b.out", "# Bundle file v0.3\n1000000000000 0\n"),
    "Bundler of -1 cameras": ("b.out", "# Bundle file v0.3\n-1 -1\n"),
    "Open3D log of one row": ("p.log", "0 0 0\n1 0 0 0\n"),
    "Metashape laughs": ("m.xml", LAUGHS),
    "Metashape from outside": ("m.xml", OUTSIDER),
    "RealityCapture of no columns": ("r.csv", "#name\n0.jpg\n"),
    "RealityCapture with a NUL": ("r.csv", "#name,x,y,alt,heading,pitch,roll\n0.jpg\0,1,2\n"),
    "folder of empty texts": ("p/0.txt", ""),
    "folder of one long line": ("p/0.txt", "1 " * 2_000_000),
}  # fmt: skip

_TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
_ACCESSOR = {"componentType": 5126, "count": 10**9, "type": "VEC3", "bufferView": 0}


def _gltf(**changes: object) -> dict[str, object]:
    return {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [_ACCESSOR], "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}], **changes,
    }  # fmt: skip


_PLY = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\n"
_PLY += "property float z\nelement face {}\nproperty list uchar int vertex_indices\nend_header\n"
_MESHES: dict[str, tuple[str, bytes | str]] = {
    "OBJ that is empty": ("m.obj", ""),
    "OBJ without faces": ("m.obj", "v 0 0 0\n"),
    "OBJ of vertices that are not": ("m.obj", _TRIANGLE + "f 7 8 9\n"),
    "OBJ of vertex -9": ("m.obj", _TRIANGLE + "f -9 -8 -7\n"),
    "OBJ of two numbers": ("m.obj", "v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n"),
    "OBJ of not a number": ("m.obj", "v nan nan nan\n" * 3 + "f 1 2 3\n"),
    "OBJ of infinity": ("m.obj", "v inf 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
    "OBJ of materials outside": ("m.obj", "mtllib ../../../../etc/passwd\n" + _TRIANGLE),
    "OBJ of materials in a device": ("m.obj", "mtllib /dev/zero\n" + _TRIANGLE),
    "OBJ of one face with 100000 corners": (
        "m.obj", _TRIANGLE + "f " + " ".join(["1 2 3"] * 33_333) + "\n"),
    "GLB that is cut": ("m.glb", glb(_gltf())[:60]),
    "GLB of 10^9 elements": ("m.glb", glb(_gltf(), bytes(36))),
    "GLB of -1 elements": (
        "m.glb", glb(_gltf(accessors=[{**_ACCESSOR, "count": -1}]), bytes(36))),
    "GLB of nodes in a circle": (
        "m.glb", glb(_gltf(nodes=[{"children": [1]}, {"children": [0]}]), bytes(36))),
    "GLB of a mesh that is not": ("m.glb", glb(_gltf(nodes=[{"mesh": 9}]), bytes(36))),
    "GLB of a word for a list": ("m.glb", glb(_gltf(nodes="many"), bytes(36))),
    "GLB of a length of 2^32": ("m.glb", b"glTF\x02\0\0\0\xff\xff\xff\xff\xff\xff\xff\xffJSON"),
    "glTF of a file outside": (
        "m.gltf", json.dumps(_gltf(buffers=[{"byteLength": 36, "uri": "../../../etc/passwd"}]))),
    "glTF of a device": (
        "m.gltf", json.dumps(_gltf(buffers=[{"byteLength": 36, "uri": "/dev/zero"}]))),
    "glTF of the network": (
        "m.gltf", json.dumps(_gltf(buffers=[{"byteLength": 36, "uri": "http://127.0.0.1:9/"}]))),
    "PLY of 10^12 vertices": ("m.ply", _PLY.format(10**12, 0)),
    "PLY of -1 vertices": ("m.ply", _PLY.format(-1, -1)),
    "PLY of faces that are not": ("m.ply", _PLY.format(1, 1) + "0 0 0\n3 5 6 7\n"),
    "PLY without an end": ("m.ply", "ply\nformat ascii 1.0\n" + "comment x\n" * 100_000),
    "STL of 2^32 faces": ("m.stl", bytes(80) + b"\xff\xff\xff\xff" + bytes(50)),
    "STL of words": ("m.stl", "solid a\nfacet normal x y z\nendsolid\n"),
    "OFF of 10^12": ("m.off", "OFF\n1000000000000 1000000000000 0\n"),
    "OFF of one number": ("m.off", "OFF\n1\n"),
    "3MF that swells": ("m.3mf", zip_of({"3D/3dmodel.model": bytes(400 << 20)})),
    "3MF that leads out": (
        "m.3mf", zip_of({f"../{CANARY}": b"bitten", "3D/3dmodel.model": b"<a/>"})),
    "3MF that laughs": ("m.3mf", zip_of({"3D/3dmodel.model": LAUGHS.encode()})),
    "mesh that is a photo": ("m.ply", picture("PNG")),
}  # fmt: skip

_SETTINGS: dict[str, bytes | str] = {
    "nested lists": "a = " + "[" * 100_000,
    "nested tables": "[" + ".".join("a" * 50_000) + "]",
    "number of 5000 digits": "[mesh]\nfaces = 1" + "0" * 5000,
    "unknown room": "[nobody]\na = 1",
    "unknown word": "[mesh]\nnobody = 1",
    "word for a number": '[mesh]\nfaces = "many"',
    "table for a number": "[mesh.faces]\na = 1",
    "list for a room": "mesh = [1, 2]",
    "date for a number": "[mesh]\nfaces = 2026-11-29",
    "negative number": "[mesh]\nfaces = -5",
    "infinity": "[frame]\nmarker_size = inf",
    "not a number": "[frame]\nmarker_size = nan",
    "UTF-16": "[mesh]\nfaces = 5".encode("utf-16"),
    "noise": bytes(range(256)),
}


def _masks(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def made(place: Path) -> None:
        (place / "masks").mkdir()
        make(place / "masks")

    return made


def _others() -> Iterator[Hostile]:
    black = Image.new("L", (160, 120))
    yield Hostile("masks: none", _masks(lambda _: None), (*_POSES, "--masks", "masks"), "mask")
    yield Hostile(
        "masks: text", _masks(file_with("0.png", "no mask")), (*_POSES, "--masks", "masks"), "mask"
    )
    yield Hostile(
        "masks: all black",
        _masks(lambda place: [black.save(place / f"{n}.png") for n in range(3)]),
        (*_POSES, "--masks", "masks"),
        "mask",
    )
    yield Hostile(
        "masks: 60000 x 60000", _masks(file_with("0.png", png(60_000, 60_000))),
        (*_POSES, "--masks", "masks"), "mask",
    )  # fmt: skip
    yield Hostile("photos: a file for the folder", lambda _: None, ("poses", "K.json"), "K.json")
    yield Hostile(
        "output: a name of 300 letters", lambda _: None, (*_POSES[:-1], "a" * 300), "too long"
    )
    yield Hostile("output: through a file", file_with("f", ""), (*_POSES[:-1], "f/out"), "f")
    yield Hostile("workspace: a file", file_with("w", "mine"), (*_POSES, "--workspace", "w"), "w")
    yield Hostile(
        "workspace: somebody else's folder",
        lambda place: [(place / "w").mkdir(), (place / "w/mine.txt").write_text("mine")],
        ("clean", "w", "--all"),
        "",
    )
    yield Hostile(
        "workspace: a link out", lambda place: (place / "w").symlink_to(".."), ("clean", "w"), ""
    )
    yield Hostile("calibration: photos of no board", lambda _: None,
                  ("calibrate", "photos", "-o", "K.json"), "board")  # fmt: skip
    yield Hostile("calibration: no photos", _masks(lambda _: None),
                  ("calibrate", "masks", "-o", "K.json"), "photo")  # fmt: skip
    yield Hostile("calibration: a photo of 65500 x 3800",
                  file_with("photos/0.jpg", jpeg_of(65_500, 3_800)),
                  ("calibrate", "photos", "-o", "K.json"), "")  # fmt: skip


def inputs() -> tuple[Hostile, ...]:
    """All of them, in a fixed order."""
    found = [Hostile(f"photo: {name}", make, _POSES) for name, make in bad_photos()]
    for suffix, cameras in ((".json", _CAMERAS), (".yaml", _YAML_CAMERAS), (".xml", _XML_CAMERAS)):
        found += [
            Hostile(f"intrinsics: {name}", file_with(f"K{suffix}", content),
                    (*_POSES, "--intrinsics", f"K{suffix}"))
            for name, content in cameras.items()
        ]  # fmt: skip
    found += [
        Hostile(f"poses: {name}", _poses_file(path, content),
                (*_WITH_POSES, path.partition("/")[0]))
        for name, (path, content) in _POSE_FILES.items()
    ]  # fmt: skip
    found += [
        Hostile(f"mesh: {name}", file_with(path, content), ("mesh-info", path))
        for name, (path, content) in _MESHES.items()
    ]
    found += [
        Hostile(f"settings: {name}", file_with("s.toml", content), ("config", "--config", "s.toml"))
        for name, content in _SETTINGS.items()
    ]
    return (*found, *_others())
