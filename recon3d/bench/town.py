"""Photos of the town, which are too many to ship, rendered into the bench's own folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from recon3d.bench.sets import SETS
from recon3d.core.errors import InputError
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Listener, Task

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = _ROOT / "examples" / "make_town.py"
_LAST_LINES = 3


def render_town(
    folder: Path, bench_set: str, listener: Listener, cancel: CancelToken, runtime: Runtime
) -> None:
    """Render what is missing of a set's photos and their truth.

    Raises:
        InputError: the renderer is not there, or ends with an error.
        Cancelled: the user asked to stop.
    """
    if not _SCRIPT.exists():
        raise InputError(
            f"The town's photos are rendered by {_SCRIPT}, which is not there.",
            hint="It comes with the source code of recon3d, not with the installed package.",
        )
    photos, threads = SETS[bench_set].rendered, runtime.workers or os.cpu_count() or 1
    command = [sys.executable, str(_SCRIPT), str(folder)]
    command += [f"--photos={photos}", f"--threads={threads}"]
    paths = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    task = Task(f"{bench_set}: render", listener, cancel, runtime)
    listener(Event("stage_started", task.stage))
    said: list[str] = []
    # A process of its own, so that the bench does not hold the town's memory.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": paths},
    ) as renderer:
        try:
            for line in renderer.stdout or ():
                said = [*said, line.strip()][-_LAST_LINES:]
                if counted := re.match(r"(\d+) of (\d+): (.*)", line):
                    task.step(int(counted[1]), int(counted[2]), counted[3])
                task.check()
        except BaseException:
            renderer.kill()
            raise
    if renderer.returncode:
        raise InputError(
            f"The town could not be rendered: {' '.join(said)}",
            hint=f"Delete {folder} where it is from an earlier version.",
        )
    listener(Event("stage_finished", task.stage, seconds=task.seconds, folder=str(folder)))
