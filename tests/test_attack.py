"""A short look at what `python tests/attack.py` does at length."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from breaking import Subject, Tried, damages, full_disks, interruptions, kills
from fuzz_readers import READERS
from fuzzing import fuzzed
from hostile import all_tried

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits"),
]

SEED = 7


@pytest.mark.parametrize("name", READERS)
def test_spoilt_files_are_read_or_refused(name: str) -> None:
    found = fuzzed(name, 5, SEED)
    assert found.files
    assert found.faultless, "\n".join(found.not_ours)


def test_hostile_inputs_are_read_or_refused() -> None:
    check(all_tried(12, random.Random(SEED)))


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory, example: Path) -> Subject:
    return Subject(sorted(example.glob("*.jpg"))[:5], tmp_path_factory.mktemp("attack"))


def check(tried: Tried) -> None:
    assert not tried.wrong, "\n".join(tried.wrong)


def test_killed_runs_go_on_to_the_same_bytes(subject: Subject) -> None:
    check(kills(subject, 2, random.Random(SEED)))


def test_stopped_runs_end_with_130(subject: Subject) -> None:
    check(interruptions(subject, 2, random.Random(SEED)))


def test_full_disks_are_named_and_work_goes_on(subject: Subject) -> None:
    check(full_disks(subject, 6))


def test_damaged_files_are_made_again(subject: Subject) -> None:
    check(damages(subject, 4, random.Random(SEED)))
