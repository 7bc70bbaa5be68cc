"""Whole runs that are killed, stopped, starved of disk and robbed of files; each has to recover."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_SECONDS = 900.0


@dataclass
class Tried:
    """How often something was done to a run, and what went wrong then."""

    times: int = 0
    wrong: list[str] = field(default_factory=list)
    note: str = ""

    def expect(self, fine: bool, what: str) -> None:
        """Count, and keep what is not as it should be."""
        self.times += 1
        if not fine:
            self.wrong.append(what)


class Subject:
    """A small reconstruction, and the files that an undisturbed run of it gives."""

    def __init__(self, photos: list[Path], place: Path) -> None:
        self._photos = [str(path) for path in photos]
        self.place = place
        self.workspace = place / "scene.recon3d"
        self.outputs = (place / "out" / "scene.ply", place / "out" / "scene.glb")
        done = self.finish()
        if done.returncode:
            raise RuntimeError(done.stdout)
        self._right = [path.read_bytes() for path in self.outputs]

    def start(self) -> subprocess.Popen[str]:
        """Start a run in a session of its own, as a terminal does."""
        command = [sys.executable, "-m", "recon3d", "mesh", *self._photos, "--preset", "draft"]
        command += ["--depth.resolution-px", "320", "--faces", "20000", "--texture.size-px", "512"]
        command += ["--workspace", str(self.workspace), "--workers", "2"]
        for path in self.outputs:
            command += ["-o", str(path)]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        process = self.start()
        try:
            told, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(process)
            told, _ = process.communicate()
            told += "\nhung"
        return subprocess.CompletedProcess(process.args, process.returncode, told)

    def check_whole(self, tried: Tried, what: str) -> None:
        """Finish, and compare with the undisturbed run."""
        done = self.finish()
        is_right = done.returncode == 0 and self.is_right()
        tried.expect(is_right, f"{what}: {done.stdout[-300:]}")
        left = [p.name for p in (self.place / "out").iterdir() if p not in self.outputs]
        if left:
            tried.wrong.append(f"{what}: {left} stayed")

    def is_right(self) -> bool:
        """Whether the outputs are, to the byte, those of the undisturbed run."""
        return all(
            path.is_file() and path.read_bytes() == right
            for path, right in zip(self.outputs, self._right, strict=True)
        )

    def forget(self) -> None:
        """Start from nothing."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        shutil.rmtree(self.place / "out", ignore_errors=True)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def kills(subject: Subject, count: int, rng: random.Random) -> Tried:
    """Kill -9 at random moments; what is killed goes on in the next run."""
    tried = Tried()
    subject.forget()
    while tried.times < count:
        process = subject.start()
        try:
            told, _ = process.communicate(timeout=rng.uniform(0.5, 12))
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            tried.expect(True, "")
            continue
        fine = process.returncode == 0 and subject.is_right()
        if not fine:
            tried.wrong.append(told[-300:])
        subject.forget()
    subject.check_whole(tried, "after the last kill")
    tried.times = count
    return tried


def interruptions(subject: Subject, count: int, rng: random.Random) -> Tried:
    """Ctrl-C at random moments: exit code 130, soon."""
    tried, slowest = Tried(), 0.0
    subject.forget()
    while tried.times < count:
        process = subject.start()
        moment = rng.uniform(0.1, 8)
        time.sleep(moment)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        pressed = time.monotonic()
        told, _ = process.communicate(timeout=60)
        if process.returncode == 0 and subject.is_right():  # it was quicker
            subject.forget()
            continue
        slowest = max(slowest, time.monotonic() - pressed)
        fine = process.returncode == 130 and "Traceback" not in told
        tried.expect(fine, f"after {moment:.2f} s: {process.returncode} {told[-300:]}")
    tried.note = f"the slowest took {slowest:.1f} s"
    return tried


def full_disks(subject: Subject, count: int) -> Tried:
    """A disk that is full again and again, each time a little later."""
    tried = Tried()
    subject.finish()
    used = sum(p.stat().st_size for p in subject.workspace.rglob("*") if p.is_file()) >> 10
    subject.forget()
    subject.workspace.mkdir()
    # COLMAP wants 32 MiB free; the sizes before that are where photos are read.
    early = [64, 400, 1000, 8000]
    sizes = early + [32_768 + used * step // (count - 4) for step in range(1, count - 3)]
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(subject.workspace)]
    if subprocess.run(mount, check=False).returncode:
        tried.note = "only root on Linux can make a small disk"
        return tried
    try:
        for size in sizes[:count]:
            grow = ["mount", "-o", f"remount,size={size}k", str(subject.workspace)]
            subprocess.run(grow, check=True)
            done = subject.finish()
            fine = done.returncode == 0 or (
                done.returncode == 1
                and f"Cannot write {subject.workspace}" in done.stdout
                and "the disk is full" in done.stdout
            )
            tried.expect(fine, f"{size} KiB: {done.stdout[-300:]}")
        subprocess.run(["mount", "-o", "remount,size=1g", str(subject.workspace)], check=True)
        subject.check_whole(tried, "with room")
        tried.times = count
    finally:
        subprocess.run(["umount", "-l", str(subject.workspace)], check=True)
        subject.forget()
    return tried


def damages(subject: Subject, count: int, rng: random.Random) -> Tried:
    """Cut, flip, empty or delete one file of a finished workspace; the next run mends it."""
    tried = Tried()
    subject.finish()
    while tried.times < count:
        files = sorted(p for p in subject.workspace.rglob("*") if p.is_file() and p.name != ".lock")
        path, damage = rng.choice(files), rng.choice(_DAMAGES)
        damage(path)
        for output in subject.outputs:
            output.unlink()
        subject.check_whole(tried, f"{damage.__name__} {path.relative_to(subject.workspace)}")
    return tried


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 16
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


_DAMAGES = (flip, cut, empty, delete)
