"""What happened, for people and programs: report.html and report.json."""

from __future__ import annotations

from pathlib import Path

from recon3d.report.facts import Run, collect_facts
from recon3d.report.page import draw_page
from recon3d.run.files import atomic_path, write_json

__all__ = ["Run", "write_report"]


def write_report(target: Path, run: Run, copy_to: Path | None = None) -> None:
    """Write report.html and, beside it, report.json.

    The page needs no other file and no network. Its numbers are those of report.json, whose
    "schema" grows by one when a key changes its meaning.

    copy_to: a second report.html where the user asked for one, its report.json beside it.

    Raises:
        OutputError: a place cannot be written.
    """
    facts = collect_facts(run)
    page = draw_page(run, facts)
    for place in filter(None, (target, copy_to)):
        write_json(place.with_suffix(".json"), facts)
        with atomic_path(place) as part:
            # File names may hold bytes that are no text.
            part.write_bytes(page.encode("utf-8", "replace"))
