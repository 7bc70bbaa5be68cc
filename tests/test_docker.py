"""The Dockerfile cannot be built here; what it lists must be what the project needs."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def words_after(pattern: str) -> list[str]:
    found = re.search(pattern + r"([^&\n]*)", DOCKERFILE)
    assert found, pattern
    return found[1].split()


def test_the_image_has_the_system_libraries_that_install_py_looks_for() -> None:
    spec = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    assert spec
    assert spec.loader
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    packages = words_after(r"apt-get install -y --no-install-recommends ")
    assert packages == sorted(install.LIBRARIES.values())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.search(r"`(lib[^`]*libgomp1[^`]*)`", readme)
    assert named
    assert set(named[1].split()) <= set(packages)


def test_the_image_has_every_extra_for_users_that_brings_no_gpl_code() -> None:
    extras = set(words_after(r"ARG EXTRAS=")[0].split(","))
    assert extras == set(PROJECT["optional-dependencies"]) - {"heic", "video", "train", "dev"}


def test_the_image_has_a_python_that_the_project_takes() -> None:
    version = re.search(r"FROM python:(\d+)\.(\d+)-slim", DOCKERFILE)
    assert version
    least = re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["requires-python"])
    assert least
    assert tuple(map(int, version.groups())) >= tuple(map(int, least.groups()))


def test_the_image_is_built_from_all_that_the_package_is_made_of() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    wheel = hatch["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", PROJECT["readme"]}
    missing = {path for path in needed if not any(path.startswith(entry) for entry in let_in)}
    assert not missing


def test_the_program_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["recon3d"]
    assert "ENTRYPOINT" in DOCKERFILE.split("USER recon3d")[1]
