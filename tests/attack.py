"""Everything that can happen to recon3d, done to it: `python tests/attack.py` writes the table.

    python tests/attack.py --page docs/RELIABILITY.md

takes an hour and a half: the readers are fuzzed beside what is done to whole runs.
`--seconds 20 --kills 3 --stops 3 --disks 6 --damages 3 --inputs 20` takes a quarter of one.
Every row is printed when it is done.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from breaking import ROOT, Subject, Tried, damages, full_disks, interruptions, kills
from fuzz_readers import READERS
from fuzzing import Found, fuzzed
from hostile import all_tried

_MARK = "<!-- attack -->"
_PHOTOS = 6
_AT_ONCE = 2
"""Readers that are fuzzed side by side."""
_RUNS = "| what happens to a run | times | gone wrong | |\n|---|---|---|---|\n"
_FILES = (
    "| reader | spoilt files | refused | errors that are not ours | hangs | slowest | memory |\n"
    "|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Do it all; returns 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of fuzzing, per reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--disks", type=int, default=8)
    parser.add_argument("--damages", type=int, default=35)
    parser.add_argument("--inputs", type=int, default=1000, help="hostile inputs at most")
    parser.add_argument("--page", type=Path, help="page whose part after the mark is replaced")
    given = parser.parse_args()
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(_fuzz, given.seconds, given.seed)
        tried = _attack(given)
        found = reading.result()
    table = _RUNS + "".join(_run_row(*one) for one in tried.items())
    table += "\n" + _FILES + "".join(_reader_row(*one) for one in found.items())
    if given.page:
        before = given.page.read_text(encoding="utf-8").partition(_MARK)[0]
        given.page.write_text(f"{before}{_MARK}\n\n{table}", encoding="utf-8")
    _say("\n" + table)
    wrong = [each for one in tried.values() for each in one.wrong]
    wrong += [each for one in found.values() for each in one.not_ours]
    sys.stdout.write("\n\n".join(["", *wrong]))
    return 1 if wrong else 0


def _attack(given: argparse.Namespace) -> dict[str, Tried]:
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        photos = sorted((ROOT / "examples" / "photos").glob("*.jpg"))[:_PHOTOS]
        subject = Subject(photos, Path(place))
        ways: dict[str, Callable[[], Tried]] = {
            "killed (SIGKILL) at a random moment": lambda: kills(subject, given.kills, rng),
            "stopped (Ctrl-C) at a random moment": lambda: interruptions(subject, given.stops, rng),
            "disk full": lambda: full_disks(subject, given.disks),
            "a file of the workspace damaged": lambda: damages(subject, given.damages, rng),
            "hostile input": lambda: all_tried(given.inputs, rng),
        }
        tried = {}
        for name, way in ways.items():
            tried[name] = way()
            _say(_run_row(name, tried[name]))
    return tried


def _fuzz(seconds: float, seed: int) -> dict[str, Found]:
    def fuzz_one(name: str) -> Found:
        found = fuzzed(name, seconds, seed)
        _say(_reader_row(name, found))
        return found

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(READERS, pool.map(fuzz_one, READERS), strict=True))


def _run_row(name: str, one: Tried) -> str:
    return f"| {name} | {one.times} | {len(one.wrong) or 'none'} | {one.note} |\n"


def _reader_row(name: str, one: Found) -> str:
    return (
        f"| {name} | {one.files:,} | {one.refused:,} | {len(one.not_ours) or 'none'} | "
        f"{one.hangs or 'none'} | {one.slowest_seconds:.1f} s | {one.peak_mib:.0f} MiB |\n"
    )


def _say(row: str) -> None:
    sys.stdout.write(row)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
