"""What this machine offers, what is missing, and what to install."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from recon3d.cli.display import Display
from recon3d.language import translate, word
from recon3d.language.columns import padded
from recon3d.run.device import Runtime
from recon3d.run.libraries import missing_library_advice

_PACKAGES = ("numpy", "torch", "torchvision", "open3d", "pycolmap", "cv2", "PIL", "trimesh")
_WHEELS = {"cv2": ("opencv-python", "opencv-python-headless"), "PIL": ("pillow",)}
_IMPORT_SECONDS = 120


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    subject: str
    found: str
    advice: str = ""
    """What to do; empty where all is well."""


def examine(display: Display) -> None:
    """Look at everything and show it."""
    findings = [
        _python(),
        *(_package(name) for name in _PACKAGES),
        _films(),
        *_devices(),
        *_resources(),
    ]
    lines = []
    for finding in findings:
        subject = padded(translate(finding.subject), 22)
        lines.append(f"{'!' if finding.advice else ' '} {subject}{translate(finding.found)}")
        if finding.advice:
            lines.append(f"  {'':<22}{translate(finding.advice)}")
    troubles = sum(bool(finding.advice) for finding in findings)
    things = f"{troubles} thing{'s' if troubles > 1 else ''} to look at."
    lines.append(translate(things if troubles else "All is well."))
    content = {"findings": [asdict(f) for f in findings], "healthy": troubles == 0}
    display.result(content, "\n".join(lines), verbatim=True)


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    too_old = sys.version_info < (3, 11)
    return Finding("Python", found, "Install Python 3.11 or newer." if too_old else "")


def _package(name: str) -> Finding:
    installed = next(filter(None, map(_version, _WHEELS.get(name, (name,)))), None)
    if installed is None:
        return Finding(name, "not installed", f"pip install {_WHEELS.get(name, (name,))[0]}")
    # In a process of its own: a package that cannot be imported may take the program with it.
    trouble = _run(f"import {name}")[1]
    if not trouble:
        return Finding(name, installed)
    last = trouble.strip().splitlines()[-1]
    return Finding(
        name,
        f"{installed}, cannot be imported: {last}",
        missing_library_advice(last) or f"pip install --force-reinstall {name}",
    )


def _films() -> Finding:
    installed = _version("av")
    found = (
        f"read by OpenCV, written as H.264 by PyAV {installed} (its libx264 and libx265 are GPL)"
        if installed
        else "read and written by OpenCV"
    )
    return Finding(word("Videos"), found)


def _version(wheel: str) -> str | None:
    try:
        return version(wheel)
    except PackageNotFoundError:
        return None


def _devices() -> list[Finding]:
    asked = {
        "GPU for depth": "import torch; print(torch.cuda.is_available() and "
        "torch.cuda.get_device_name())",
        "GPU for fusion": "import open3d; print(open3d.core.cuda.is_available())",
        "GPU for features": "import zlib, PIL.Image, cv2, pycolmap; print(pycolmap.has_cuda)",
    }
    findings = []
    for subject, code in asked.items():
        answer, trouble = _run(code)
        last = (answer.strip().splitlines() or ["False"])[-1]
        name = {"False": "none, runs on the processor", "True": word("yes")}.get(last, last)
        findings.append(Finding(subject, word("unknown") if trouble else name))
    return findings


def _resources() -> list[Finding]:
    memory_gib = psutil.virtual_memory().total / 2**30
    left_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    runtime = Runtime()
    return [
        Finding(word("Threads"), str(runtime.threads)),
        Finding(
            word("Memory"),
            f"{memory_gib:.1f} GiB, a run plans with {runtime.memory_bytes / 2**30:.1f} GiB",
            "" if memory_gib >= 8 else "8 GiB or more are better; use --preset draft.",
        ),
        Finding(
            "Disk space here",
            f"{left_gib:.1f} GiB free",
            "" if left_gib >= 5 else "A run may need 5 GiB; free some or use another --workspace.",
        ),
    ]


def _run(code: str) -> tuple[str, str]:
    """Standard output of a Python snippet, and its standard error if it failed."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_IMPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_IMPORT_SECONDS} s"
    return done.stdout, (done.stderr or f"exit code {done.returncode}") if done.returncode else ""
