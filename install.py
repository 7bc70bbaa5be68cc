"""Set recon3d up in .venv, then reconstruct the example or run the tests.

    python3 install.py            only sets up
    python3 install.py example    sets up and reconstructs examples/photos to out/example.ply
    python3 install.py test       sets up with the developers' tools and runs the fast tests

Needs nothing but Python 3.11 or newer. Quick when everything is there already. Arguments after
`test` go to pytest, and take the place of its own `-n 2`.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "recon3d-install.json"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

# What Open3D's wheel loads, and the Debian and Ubuntu packages that bring it.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libgomp.so.1": "libgomp1",
    "libidn2.so.0": "libidn2-0",
    "libudev.so.1": "libudev1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libX11.so.6": "libx11-6",
}


def main() -> int:
    """Set up, then do what the command line asks for."""
    job = sys.argv[1] if len(sys.argv) > 1 else "setup"
    if job not in ("setup", "example", "test"):
        print(__doc__)
        return 0 if job in ("-h", "--help") else 2
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this may have any Python
        return fail(f"Python 3.11 or newer is needed, this is {platform.python_version()}.")
    try:
        install_system_packages()
        make_environment()
        install_packages(developer=job == "test")
        if job == "example":
            reconstruct_example()
        elif job == "test":
            run_tests(sys.argv[2:])
        else:
            say(f"Ready: {PYTHON} -m recon3d --help")
    except subprocess.CalledProcessError as error:
        return fail(f"This failed: {' '.join(map(str, error.cmd))}")
    except KeyboardInterrupt:
        return 130
    return 0


def run_tests(arguments: list[str]) -> None:
    """Run pytest, where nobody wants it otherwise in two processes: each takes 1.6 GB."""
    if not arguments:
        # Two processes of two threads each only get in each other's way.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        arguments = ["-n", "2", "--dist", "worksteal"]
    run(PYTHON, "-m", "pytest", *arguments)


def install_system_packages() -> None:
    """Install what pip cannot, on Debian and Ubuntu; elsewhere nothing is missing or is named."""
    if platform.system() != "Linux":
        return
    packages = [package for name, package in LIBRARIES.items() if not loads(name)]
    if importlib.util.find_spec("ensurepip") is None:
        packages.append(f"python3.{sys.version_info.minor}-venv")
    if not packages:
        return
    say(f"Missing in the system: {' '.join(packages)}")
    root = os.geteuid() == 0
    if not shutil.which("apt-get") or not (root or shutil.which("sudo")):
        raise SystemExit(fail("Install them (these are Debian's names), then run this again."))
    apt = ["apt-get"] if root else ["sudo", "apt-get"]
    run(*apt, "update", "-qq")
    run(*apt, "install", "-y", "-qq", "--no-install-recommends", *packages)


def loads(library: str) -> bool:
    """Whether the system's loader finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def make_environment() -> None:
    """Make .venv unless there is a working one."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", ""], check=False).returncode == 0:
        return
    say(f"Making {VENV}")
    run(sys.executable, "-m", "venv", "--clear", VENV)


def install_packages(*, developer: bool) -> None:
    """Install recon3d and what it needs, unless pyproject.toml is as it was the last time."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    installed = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    if installed.get("pyproject") == digest and installed.get("developer") >= developer:
        return
    say("Installing packages (torch and its GPU libraries are large; this takes minutes)")
    # torch and torchvision in one command: builds that do not match cannot be imported together.
    what = ROOT.as_posix() + ("[dev]" if developer else "")
    run(PYTHON, "-m", "pip", "install", "-q", "torch", "torchvision", "-e", what)
    STAMP.write_text(json.dumps({"pyproject": digest, "developer": developer}))


def reconstruct_example() -> None:
    """Photos to mesh, as a user would."""
    outputs = [ROOT / "out" / "example.ply", ROOT / "out" / "example.glb"]
    photos = ROOT / "examples" / "photos"
    command = [PYTHON, "-m", "recon3d", "mesh", photos, "--intrinsics", photos / "K.json"]
    for output in outputs:
        command += ["-o", output]
    run(*command)
    say("The mesh is in " + " and ".join(map(str, outputs)))


def run(*command: object) -> None:
    """Show a command and run it in the project's folder."""
    words = [str(word) for word in command]
    say("> " + " ".join(words))
    subprocess.run(words, cwd=ROOT, check=True)


def say(text: str) -> None:
    """Print at once, so that lines stay in order with those of the commands."""
    print(text, flush=True)


def fail(text: str) -> int:
    """Say what is wrong; the exit code."""
    print(text, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
