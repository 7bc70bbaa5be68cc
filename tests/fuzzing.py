"""Readers of strangers' files, fed with good files that went bad in every way we can think of.

`python tests/fuzzing.py READER SECONDS SEED` runs one; `fuzzed` runs it apart, so that a hang and a
crash are seen. The same seed gives the same files.
"""

from __future__ import annotations

import json
import random
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_readers import READERS

from recon3d.core.errors import ReconError

HANG_SECONDS = 10.0
_START_SECONDS = 120.0

# What goes wrong

_NUMBERS = [b"0", b"-1", b"1e309", b"-1e-320", b"nan", b"inf", b"9" * 400, b"4294967296", b"1e30"]
_VALUES = [b"null", b"{}", b"[]", b"true", b'"x"', b"[" * 20_000, b'{"a":' * 20_000, b"[[[1]]]"]
_WORDS = [0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 65_500, 0x10000]


def spoilt(content: bytes, rng: random.Random, head_bytes: int) -> bytes:
    """The content with one to three things wrong."""
    head, tail = bytearray(content[:head_bytes]), content[head_bytes:]
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_FAULTS)(head, rng)
    return bytes(head) + tail


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 20)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randint(0, len(data)) :]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 4, 100)))


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    part = bytes(data[start : start + rng.randint(1, 200)])
    data[start:start] = part * rng.choice((1, 2, 50))


def _blank(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.randint(1, 64))
    data[start:end] = bytes([rng.choice((0, 255, 32))]) * (end - start)


def _word(data: bytearray, rng: random.Random) -> None:
    at, word = rng.randint(0, max(0, len(data) - 4)), rng.choice(_WORDS)
    data[at : at + 4] = word.to_bytes(4, rng.choice(("little", "big")))


def _swap(
    found: list[re.Match[bytes]], new: list[bytes], data: bytearray, rng: random.Random
) -> None:
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = rng.choice(new)


def _number(data: bytearray, rng: random.Random) -> None:
    _swap(
        list(re.finditer(rb"-?\d+(\.\d*)?(e[-+]?\d+)?", bytes(data[:100_000]))), _NUMBERS, data, rng
    )


def _value(data: bytearray, rng: random.Random) -> None:
    found = re.finditer(rb'(?<=[:=\[,] )("[^"\n]*"|-?[\d.]+|\[[^\]\n]*\])', bytes(data[:100_000]))
    _swap(list(found), _VALUES, data, rng)


def _line(data: bytearray, rng: random.Random) -> None:
    lines = bytes(data).split(b"\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 2))):
        lines.insert(rng.randint(0, len(lines)), line)
    data[:] = b"\n".join(lines)


_FAULTS = (_flip_bits, _cut, _insert, _repeat, _blank, _word, _number, _value, _line)


# Runs


@dataclass
class Found:
    """What became of one reader."""

    files: int = 0
    refused: int = 0
    hangs: int = 0
    crashes: int = 0
    slowest_seconds: float = 0.0
    peak_mib: float = 0.0
    not_ours: list[str] = field(default_factory=list)
    """Tracebacks of errors that no reader may let out, the first of each kind."""

    @property
    def faultless(self) -> bool:
        return not (self.hangs or self.crashes or self.not_ours)


def run_here(name: str, seconds: float, seed: int) -> Iterator[dict[str, Any]]:
    """Spoil and read until the time is over; tells of every file, before and after."""
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as place:
        good, bad = Path(place) / "good", Path(place) / "bad"
        good.mkdir()
        reader.make(good)
        names = sorted(
            p.relative_to(good) for p in good.rglob("*") if p.is_file() and p.name != ".lock"
        )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rng = random.Random(f"{name} {seed}")
            shutil.rmtree(bad, ignore_errors=True)
            shutil.copytree(good, bad)
            target = bad / rng.choice(names)
            target.write_bytes(spoilt(target.read_bytes(), rng, reader.head_bytes))
            yield {"seed": seed}
            started, told = time.monotonic(), {"refused": False, "not_ours": ""}
            try:
                reader.read(bad)
            except ReconError:
                told["refused"] = True
            except Exception:
                told["not_ours"] = traceback.format_exc()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            yield {**told, "seconds": time.monotonic() - started, "peak_mib": peak, "seed": seed}
            seed += 1


def fuzzed(name: str, seconds: float, seed: int = 0) -> Found:
    """Run one reader in a process of its own, and again after a hang or a crash."""
    found, end = Found(), time.monotonic() + seconds
    kinds = set[str]()
    while (left := end - time.monotonic()) > 0:
        command = [sys.executable, __file__, name, str(left), str(seed)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        ) as child:
            assert child.stdout
            patience = _START_SECONDS
            while select.select([child.stdout], [], [], patience)[0]:
                line = child.stdout.readline()
                if not line:
                    break
                if not line.startswith(b'{"fuzz"'):  # libraries print too
                    continue
                patience = HANG_SECONDS
                told = json.loads(line)["fuzz"]
                seed = told["seed"]
                if "seconds" not in told:
                    continue
                found.files += 1
                found.refused += told["refused"]
                found.slowest_seconds = max(found.slowest_seconds, told["seconds"])
                found.peak_mib = max(found.peak_mib, told["peak_mib"])
                kind = told["not_ours"].strip().rpartition("\n")[2].partition(":")[0]
                if kind and kind not in kinds:
                    kinds.add(kind)
                    found.not_ours.append(f"seed {seed}: {told['not_ours']}")
            else:
                found.hangs += 1
                found.not_ours.append(f"seed {seed}: nothing came for {patience:.0f} s")
            child.kill()
            code = child.wait()
        if code > 0 or code < -9:
            found.crashes += 1
            found.not_ours.append(f"seed {seed}: the process ended with {code}")
        seed += 1
    return found


if __name__ == "__main__":
    for said in run_here(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])):
        sys.stdout.write(json.dumps({"fuzz": said}) + "\n")
        sys.stdout.flush()
