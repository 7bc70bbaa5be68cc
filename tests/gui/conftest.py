"""Programs on virtual screens, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driving import Program, Screen, can_drive

Open = Callable[..., Program]


@pytest.fixture
def screen() -> Iterator[Screen]:
    if not can_drive():
        pytest.skip("Xvfb is not installed")
    screen = Screen()
    yield screen
    screen.close()


@pytest.fixture
def open_program(screen: Screen, tmp_path: Path) -> Iterator[Open]:
    opened = []

    def start(project: Path | None = None) -> Program:
        program = Program(screen, tmp_path / "home", project)
        opened.append(program)
        return program

    yield start
    for program in opened:
        program.kill()
