"""Networks that lie on the disk as users' ones do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_networks


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each network is made once."""
    root = tmp_path_factory.mktemp("networks")

    def folder(kind: str) -> Path:
        place = root / kind
        return place if place.is_dir() else tiny_networks.save_network(kind, place)

    return folder
