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
    "scipy", "ray",
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


def test_the_window_starts_without_heavy_libraries() -> None:
    code = f"""
import json, sys
import recon3d_gui.app
json.dump([name for name in {HEAVY} if name in sys.modules], sys.stdout)
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


def test_nothing_but_the_pipeline_and_the_one_list_knows_more_than_its_own_stages() -> None:
    # Whoever adds a stage touches its room, STAGES and pipeline.py, and nothing else.
    made_in = stages_by_module()
    assert len({name for names in made_in.values() for name in names}) == 34
    for path in (ROOT / "recon3d").rglob("*.py"):
        module = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        others = {name for other, names in made_in.items() if other != module for name in names}
        runs = ("pipeline", "placing_markers", "surface_to_model", "partial_runs")
        lists = ("recon3d/stage.py", *(f"recon3d/{name}.py" for name in runs))
        if module not in lists:
            assert not others & imported_objects(path), module
        else:
            assert "Stage(" not in text, module


def stages_by_module() -> dict[str, set[str]]:
    found = {}
    for path in (ROOT / "recon3d").rglob("*.py"):
        names = {
            target.id
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name)
            and isinstance(node.value.func, ast.Name)
            and (
                node.value.func.id == "Stage"
                or (
                    node.value.func.id == "replace"
                    and any(k.arg == "run" for k in node.value.keywords)
                )
            )
        }
        if names:
            found[path.relative_to(ROOT).as_posix()] = names
    return found


def imported_objects(path: Path) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_stage_is_in_the_list_under_its_own_name() -> None:
    code = """
import json, sys
from recon3d.results import Results
from recon3d.stage import STAGES
fields = set(Results.__dataclass_fields__)
assert all(name == stage.name and stage.result in fields for name, stage in STAGES.items())
print(json.dumps(sorted(STAGES)))
"""
    names = json.loads(python(code))
    assert {"ingest", "pose", "depth", "fuse", "mesh", "texture", "frame"} <= set(names)


def test_no_modules_import_each_other_in_a_circle() -> None:
    code = """
import grimp, json
graph = grimp.build_graph("recon3d", "recon3d_gui", "recon3d_calib")
imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
# What imports nothing that is left is in no circle.
while True:
    ends = [m for m, found in imports.items() if not found & imports.keys()]
    if not ends:
        break
    for m in ends:
        del imports[m]
print(json.dumps(sorted(imports)))
"""
    assert json.loads(python(code)) == []


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names
