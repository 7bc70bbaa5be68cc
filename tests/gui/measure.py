"""What the window costs: start, idling, frames while a run is at work, memory of many runs.

    python tests/gui/measure.py [FOLDER]

prints a table; FOLDER gets its home (a temporary one unless given). Needs Xvfb. Nothing here is a
test: other programs on the machine change the numbers.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from driving import Program, Screen

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
CYCLES = 20
_JOB_ENDS = 30.0
"""Seconds until the process that read the photos has gone."""
PHOTOS = 4


def main(home: Path) -> None:
    """Measure one after the other."""
    # An installed program keeps its compiled modules.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    screen = Screen()
    try:
        rows = [*starts(screen, home), *frames(screen, home), *cycles(screen, home)]
    finally:
        screen.close()
    for what, value in rows:
        print(f"| {what} | {value} |")


def starts(screen: Screen, home: Path) -> list[tuple[str, str]]:
    """From the command to the first frame, and what the window costs when nobody touches it."""
    seconds = []
    for _ in range(5):
        program = Program(screen, home / "start")
        seconds.append(program.started_seconds)
        program.leave()
    program = Program(screen, home / "start")
    time.sleep(5)
    share = idle_share(program)
    program.drop(sorted(EXAMPLE.glob("*.jpg")))
    program.wait(lambda known: len(known["photos"]) == 24)
    time.sleep(_JOB_ENDS)
    with_photos = idle_share(program)
    program.leave()
    return [
        ("start to first frame, median of 5", f"{np.median(seconds):.2f} s"),
        ("idle CPU of one core, all processes, empty", f"{share:.1%}"),
        ("idle CPU of one core, all processes, 24 photos", f"{with_photos:.1%}"),
    ]


def idle_share(program: Program, seconds: float = 10) -> float:
    """CPU time per second."""
    began, before = time.monotonic(), cpu(program)
    time.sleep(seconds)
    return (cpu(program) - before) / (time.monotonic() - began)


def cpu(program: Program) -> float:
    """Seconds of all its processes."""
    times = [process.cpu_times() for process in program.processes]
    return sum(each.user + each.system for each in times)


def frames(screen: Screen, home: Path) -> list[tuple[str, str]]:
    """Time between frames while the example is computed and the mouse moves all the time."""
    program = Program(screen, home / "frames")
    program.drop([*sorted(EXAMPLE.glob("*.jpg")), EXAMPLE / "K.json"])
    program.wait(lambda known: len(known["photos"]) == 24)
    program.click("run.start")
    program.wait(lambda known: known["state"] == "running")
    program.studio()
    intervals: list[float] = []
    turn = 0
    while program.studio()["state"] == "running":
        turn += 1
        program.move(700 + 60 * (turn % 2), 300)
        intervals += program.studio()["frame_ms"]
    known = program.studio()
    program.leave()
    shutil.rmtree(Path(known["reached"]["ingest"]).parents[1])
    half, most = np.percentile(intervals, (50, 99))
    return [
        ("between frames during the example's run, median", f"{half:.0f} ms"),
        ("between frames during the example's run, 99th percentile", f"{most:.0f} ms"),
        ("longest", f"{max(intervals):.0f} ms"),
    ]


def cycles(screen: Screen, home: Path) -> list[tuple[str, str]]:
    """Memory of the window's own process over many projects that are opened, run and left."""
    program = Program(screen, home / "cycles")
    folder = home / "cycle"
    sizes = []
    for cycle in range(CYCLES):
        photos = folder / str(cycle)
        photos.mkdir(parents=True)
        for photo in sorted(EXAMPLE.glob("*.jpg"))[:PHOTOS]:
            shutil.copy(photo, photos)
        program.key("Control_L", "n")
        program.wait(lambda known: not known["photos"])
        program.drop([photos])
        program.wait(lambda known: len(known["photos"]) == PHOTOS)
        program.click("run.start")
        program.wait(lambda known: "pose" in known["reached"] or known["state"] == "failed", 120)
        if program.studio()["state"] == "running":
            program.click("run.cancel")
        program.wait(lambda known: known["state"] in ("cancelled", "failed"), 30)
        sizes.append(program.processes[0].memory_info().rss / 2**20)
        shutil.rmtree(folder)
    program.leave()
    text = f"{sizes[0]:.0f}, {sizes[CYCLES // 2]:.0f}, {sizes[-1]:.0f} MiB"
    return [(f"memory of the window after 1, {CYCLES // 2}, {CYCLES} projects and runs", text)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
