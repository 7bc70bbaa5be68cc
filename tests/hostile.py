"""Hostile inputs, each given to the whole program, which has to know what it does.

`python tests/hostile.py` tries them all, `python tests/hostile.py NAME` one. None may end in an
error that is not recon3d's, take long, take much memory, or write where nobody asked.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from breaking import ROOT, Tried
from forged_bytes import CANARY
from hostile_inputs import Hostile, inputs
from hostile_photos import good_photos

_PATIENCE_SECONDS = 60.0
_MOST_MIB = 2048
_ENDINGS = (0, 1, 2)
"""Exit codes of a run that knew what it did: done, refused, wrong usage."""
_NOT_OURS = re.compile(r"Traceback|mistake in recon3d|Unexpected |Segmentation|core dumped")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    wrong: str
    """Empty if nothing."""
    refused: bool
    seconds: float
    peak_mib: float


def tried(hostile: Hostile) -> Outcome:
    """Give it to the program."""
    with tempfile.TemporaryDirectory() as outer:
        canary, place = Path(outer) / CANARY, Path(outer) / "in"
        canary.write_text("alive")
        (place / "photos").mkdir(parents=True)
        good_photos(place / "photos")
        hostile.make(place)
        started = time.monotonic()
        code, told, peak_mib = _run(hostile.command, place)
        seconds = time.monotonic() - started
        faults = {
            f"ended with {code}": code not in _ENDINGS,
            "said what it should not": _NOT_OURS.search(told) or _CONTROL.search(told),
            f"did not say {hostile.says!r}": not re.search(hostile.says, told),
            f"took {peak_mib:.0f} MiB": peak_mib > _MOST_MIB,
            "wrote outside": canary.read_text() != "alive"
            or {path.name for path in Path(outer).iterdir()} != {CANARY, "in"},
        }
        wrong = ", ".join(fault for fault, there in faults.items() if there)
        wrong = f"{hostile.name}: {wrong}\n{told[-800:]}\n" if wrong else ""
        return Outcome(wrong, code != 0, seconds, peak_mib)


def _run(command: Sequence[str], place: Path) -> tuple[int | str, str, float]:
    """Exit code or "hung", output, and the peak memory of all its processes together."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(
        str(folder) for folder in (ROOT, ROOT / "calib", ROOT / "gui"))}  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "recon3d", *command], cwd=place, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        errors="surrogateescape", start_new_session=True,
    ) as process:  # fmt: skip
        peak, over = [0.0], threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                peak[0] = max(peak[0], _resident_mib(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            told, _ = process.communicate(timeout=_PATIENCE_SECONDS)
            code: int | str = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            told, _ = process.communicate()
            code = "hung"
        over.set()
        watcher.join()
    return code, told, peak[0]


def _resident_mib(leader: int) -> float:
    """Of all processes of a session; 0 where /proc does not tell."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(state[3]) == leader:
                pages += int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def all_tried(most: int, rng: random.Random) -> Tried:
    """So many of them at random, or all."""
    every = inputs()
    chosen = every if most >= len(every) else rng.sample(every, most)
    result, seconds, peak_mib = Tried(), 0.0, 0.0
    for each in chosen:
        found = tried(each)
        result.expect(not found.wrong, found.wrong)
        seconds, peak_mib = max(seconds, found.seconds), max(peak_mib, found.peak_mib)
    result.note = f"the slowest took {seconds:.1f} s, the largest {peak_mib:.0f} MiB"
    return result


if __name__ == "__main__":
    for number, each in enumerate(inputs()):
        if not sys.argv[1:] or each.name in sys.argv[1:]:
            found = tried(each)
            sys.stdout.write(
                f"{number:3d} {found.seconds:5.1f} s {found.peak_mib:5.0f} MiB "
                f"{'refused' if found.refused else 'read   '} {each.name}\n{found.wrong}"
            )
            sys.stdout.flush()
