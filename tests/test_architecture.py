"""The house stays as it was drawn: who imports whom, and a command line that starts at once."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATHS = os.pathsep.join(str(ROOT / part) for part in ("", "gui", "calib"))
HEAVY = (
    "torch", "torchvision", "transformers", "open3d", "pycolmap", "matplotlib", "av", "trimesh",
    "scipy",
)  # fmt: skip


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_imports_only_ever_go_down() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    assert "0 broken" in python(code)


def test_help_loads_no_heavy_library() -> None:
    code = f"""
import io, json, sys
from recon3d.cli import main
shown, sys.stdout = sys.stdout, io.StringIO()
for line in ("--help", "mesh --help", "config --preset fine", "--version"):
    assert main(line.split()) == 0, line
json.dump([name for name in {HEAVY} if name in sys.modules], shown)
"""
    assert json.loads(python(code)) == []


def test_only_one_module_opens_the_door_to_pycolmap() -> None:
    # Imported before zlib, Pillow or OpenCV it corrupts later PNG writing.
    doors = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "recon3d").rglob("*.py")
        if "pycolmap" in imported_names(path)
    }
    assert len(doors) == 1, doors


def test_logs_are_shown_by_the_command_line_only() -> None:
    for path in (ROOT / "recon3d").rglob("*.py"):
        if "cli" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert "addHandler" not in text, path
            assert "basicConfig" not in text, path


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names
