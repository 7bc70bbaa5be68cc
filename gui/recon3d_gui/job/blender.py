"""Where Blender is on this computer, and opening a saved folder in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from recon3d.core.errors import OutputError
from recon3d.export.blender import SCRIPT

_FLATPAK = "org.blender.Blender"


def find_blender() -> list[str] | None:
    """The command that starts Blender, without arguments; None where it is not found.

    Of several in one place the newest.
    """
    if found := shutil.which("blender"):
        return [found]
    for place, pattern in _usual_places():
        programs = [path for path in place.glob(pattern) if path.is_file()]
        if programs:
            newest = sorted(programs, key=_version)[-1]
            return [os.fspath(newest)]
    flatpak = shutil.which("flatpak")
    homes = (Path("/var/lib/flatpak"), Path.home() / ".local/share/flatpak")
    if flatpak and any((home / "app" / _FLATPAK).is_dir() for home in homes):
        return [flatpak, "run", _FLATPAK]
    return None


def open_in_blender(blender: list[str], folder: Path) -> None:
    """Start Blender with a folder that was saved for it.

    Raises:
        OutputError: the folder is no longer whole, or Blender does not start.
    """
    script = folder.absolute() / SCRIPT.name
    if not script.is_file():
        raise OutputError(f"{script} is gone.", hint="Save the Blender folder again.")
    try:
        subprocess.Popen(
            [*blender, "--python", os.fspath(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that it stays when this program goes
        )
    except OSError as error:
        raise OutputError(
            f"Blender does not start: {error.strerror}.",
            hint=f"Open {script} in Blender's text editor and press Run Script.",
        ) from error


def _usual_places() -> Iterator[tuple[Path, str]]:
    home = Path.home()
    if sys.platform == "win32":
        for name in ("ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA"):
            if base := os.environ.get(name):
                yield Path(base), "Blender Foundation/Blender*/blender.exe"
                yield Path(base), "Programs/Blender*/blender.exe"
                yield Path(base), "Steam/steamapps/common/Blender/blender.exe"
    elif sys.platform == "darwin":
        for applications in (Path("/Applications"), home / "Applications"):
            yield applications, "Blender*.app/Contents/MacOS/Blender"
    else:
        yield Path("/snap/bin"), "blender"
        for place in (Path("/opt"), Path("/usr/local"), home, home / "Downloads", home / "bin"):
            yield place, "blender*/blender"
        for steam in (home / ".steam/steam", home / ".local/share/Steam"):
            yield steam, "steamapps/common/Blender/blender"


def _version(program: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", program.parent.as_posix())]
