"""Downloads from a hub of our own, in this process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from recon3d.cli import main
from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.depth.hub.fetch import fetch
from recon3d.depth.hub.files import cached_folder

NAME, COMMIT = "someone/some-depth-hf", "0123456789abcdef0123456789abcdef01234567"


def weights(megabytes: int) -> bytes:
    """A safetensors file with one big tensor."""
    size = megabytes << 20
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(range(256)) * (size // 256)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as huggingface_hub asks for."""

    files: ClassVar[dict[str, bytes]] = {
        "config.json": b'{"model_type": "depth_anything"}',
        "preprocessor_config.json": b'{"image_processor_type": "DPTImageProcessor"}',
        "model.safetensors": weights(32),
        "pytorch_model.bin": b"would run code",
    }
    served: ClassVar[list[str]] = []
    damages: ClassVar[bool] = False

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        if self.path.startswith(f"/api/models/{NAME}"):
            files = [
                {"rfilename": name, "size": len(data), "blobId": git_hash(data), **large(data)}
                for name, data in self.files.items()
            ]
            model = {"id": NAME, "sha": COMMIT, "siblings": files}
            self.send(json.dumps(model).encode(), {})
        elif self.path.startswith(f"/{NAME}/resolve/"):
            self.send_file(self.path.rpartition("/")[2], body=body)
        else:
            missing = {"X-Error-Code": "RepoNotFound"}
            self.send(b"", missing, status=404)

    def send_file(self, name: str, *, body: bool) -> None:
        content = self.files[name][:-1] + b"?" if self.damages else self.files[name]
        headers = {"Accept-Ranges": "bytes"}
        start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        if body:
            self.served.append(f"{name} from {start}")
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send(content[start:], headers, status=206 if start else 200, body=body)

    def send(
        self, content: bytes, headers: dict[str, str], *, status: int = 200, body: bool = True
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.command == "GET":
            # The one who asked may have been stopped.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(content)


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def large(content: bytes) -> dict[str, object]:
    sha256 = hashlib.sha256(content).hexdigest()
    lfs = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return {"lfs": lfs} if len(content) > 1000 else {}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(Hub, "served", [])
    yield Hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_counts_every_byte_and_takes_no_code(hub: type[Hub]) -> None:
    steps: list[tuple[int, int, str]] = []
    folder = fetch(NAME, lambda *step: steps.append(step))
    wanted = {name for name in hub.files if not name.endswith(".bin")}
    assert {path.name for path in folder.iterdir()} == wanted
    total = sum(len(hub.files[name]) for name in wanted)
    assert steps[-1][:2] == (total, total)
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert len({done for done, _, _ in steps}) > 3
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_an_interrupted_download_goes_on_where_it_was(hub: type[Hub]) -> None:
    def stop_halfway(done: int, total: int, file: str) -> None:
        if done > total / 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(NAME, stop_halfway)
    assert cached_folder(NAME) is None
    hub.served.clear()
    folder = fetch(NAME, lambda *_: None)
    (line,) = [line for line in hub.served if line.startswith("model.safetensors")]
    assert int(line.rpartition(" ")[2]) > 0
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_a_damaged_download_is_thrown_away(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "damages", True)
    with pytest.raises(EstimatorError, match="arrived damaged"):
        fetch(NAME, lambda *_: None)
    assert cached_folder(NAME) is None


def test_a_second_download_fetches_nothing(hub: type[Hub]) -> None:
    fetch(NAME, lambda *_: None)
    hub.served.clear()
    fetch(NAME, lambda *_: None)
    assert hub.served == []


def test_an_unknown_model_is_called_unknown(hub: type[Hub]) -> None:
    with pytest.raises(EstimatorError, match="no model named someone/else"):
        fetch("someone/else", lambda *_: None)


def test_a_model_without_safetensors_is_refused(
    hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = {name: data for name, data in hub.files.items() if "safetensors" not in name}
    monkeypatch.setattr(hub, "files", pickled)
    with pytest.raises(EstimatorError, match="no weights in the safetensors format"):
        fetch(NAME, lambda *_: None)
    assert hub.served == []


def test_offline_names_the_folder_to_put_files_in(
    hub: type[Hub], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EstimatorError, match="cannot be downloaded") as caught:
        fetch(NAME, lambda *_: None)
    assert str(tmp_path / "recon3d" / NAME) in caught.value.hint


def test_models_shows_what_is_here(
    hub: type[Hub], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch(NAME, lambda *_: None)
    assert main(["models"]) == 0
    listed = capfd.readouterr().out
    assert f"* {NAME}" in listed
    assert "  depth-anything/Depth-Anything-V2-Small-hf" in listed
    assert "planesweep" in listed
    assert main(["models", "list", "--json"]) == 0
    content = json.loads(capfd.readouterr().out)
    assert content["others"] == [NAME]
    assert {"name", "megabytes", "licence", "kind", "folder"} <= content["hub"][0].keys()
