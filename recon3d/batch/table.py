"""What has become of the objects: batch.html with pictures, batch.csv for spreadsheets."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from recon3d.batch.jobs import Outcome
from recon3d.run.files import atomic_path
from recon3d.run.templates import page_template

_COLUMNS = (
    "object", "status", "photos", "placed", "left_out", "triangles", "seconds", "warnings",
    "model", "report", "error", "hint",
)  # fmt: skip


def write_csv(target: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one line for each object; paths are relative to the table.

    Raises:
        OutputError: it cannot be written.
    """
    # Excel takes a table for UTF-8 only where it begins with this mark.
    with (
        atomic_path(target) as part,
        part.open("w", encoding="utf-8-sig", errors="replace", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        writer.writerows(_row(outcome, target.parent) for outcome in outcomes)


def write_page(target: Path, outcomes: Sequence[Outcome], waiting: Sequence[str] = ()) -> None:
    """Write the page, which needs no network; its links lead to the reports and models beside it.

    waiting: Objects whose turn has not come.

    Raises:
        OutputError: it cannot be written.
    """
    template = page_template(
        Path(__file__).with_name("page.html.j2"),
        seconds=duration,
        link=lambda path: quote(os.fsencode(_relative(path, target.parent))),
        suffix=lambda path: Path(path).suffix.lstrip(".").upper(),
    )
    page = template.render(
        outcomes=outcomes, waiting=waiting, failed=sum(each.failed for each in outcomes)
    )
    with atomic_path(target) as part:
        # Names may hold bytes that are no text.
        part.write_bytes(page.encode("utf-8", "replace"))


def duration(seconds: float) -> str:
    """Seconds as a table has them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _row(outcome: Outcome, home: Path) -> list[object]:
    left_out = None if outcome.placed is None else (outcome.given or 0) - outcome.placed
    fields: list[object] = [
        outcome.object,
        "failed" if outcome.failed else "done",
        outcome.given,
        outcome.placed,
        left_out,
        outcome.triangles,
        outcome.seconds,
        len(outcome.warnings),
        " ".join(_relative(model, home) for model in outcome.models),
        _relative(outcome.report, home) if outcome.report else None,
        outcome.error,
        outcome.hint,
    ]
    return [_no_formula(field) if isinstance(field, str) else field for field in fields]


def _relative(path: str, home: Path) -> str:
    return Path(os.path.relpath(path, home)).as_posix()


def _no_formula(text: str) -> str:
    """A folder may be called =cmd(...), and spreadsheets would run it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
