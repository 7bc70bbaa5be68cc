"""What the documents say can be typed, and where they point."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from recon3d.cli.commands import parse

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """Lines of code blocks that call recon3d, without what a shell or a reader takes away."""
    found = []
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        code = line if fenced else line[4:] if line.startswith("    ") else ""
        match = re.match(r"\s*(?:\w+=\S+ )?(recon3d .*)", code)
        if match:
            found.append(re.split(r"\s+[#>|(]", match.group(1))[0])
    return found


def test_every_command_in_the_documents_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.toml").touch()
    seen = {command for page in PAGES for command in commands(page)}
    assert len(seen) > 25
    wrong = []
    for command in sorted(seen):
        try:
            parse(shlex.split(command)[1:])
        except SystemExit as ended:
            if ended.code:
                wrong.append(command)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [
        target
        for target in targets
        if not re.match(r"\w+:", target) and not (page.parent / target).exists()
    ]
    assert not missing
