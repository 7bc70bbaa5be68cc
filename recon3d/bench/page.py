"""The results as a page with pictures; what a person wrote around them stays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from recon3d.bench.rows import BenchRow, markdown
from recon3d.bench.sets import MEMORY_SETS, SETS
from recon3d.photos.decoding import opened
from recon3d.run.files import atomic_path, explain_write_errors

_PICTURE_BYTES = 150_000
_BEGIN, _END = "<!-- bench -->", "<!-- /bench -->"


def write_page(page: Path, rows: Sequence[BenchRow], stills: Path) -> None:
    """Put the table and the stills between the page's markers; a page without them gets them.

    Stills go into a folder named like the page.

    Raises:
        OutputError: the page cannot be written.
    """
    pictures = page.parent / page.stem.lower()
    blocks = [markdown(rows)]
    with explain_write_errors(pictures):
        pictures.mkdir(parents=True, exist_ok=True)
        for row in rows:
            still = stills / f"{row.name}.jpg"
            # The memory sets are parts of one that has its own picture.
            if still.exists() and not row.failure and row.name not in MEMORY_SETS:
                _shrink(still, pictures / still.name)
                picture = f"![{row.name}]({pictures.name}/{still.name})"
                credit = SETS[row.name].credit
                photos = f" Photos: {credit}." if credit else ""
                blocks.append(f"**{row.name}**: {row.what}.{photos}\n\n{picture}")
    made = f"{_BEGIN}\n\n" + "\n\n".join(blocks) + f"\n\n{_END}"
    old = page.read_text(encoding="utf-8") if page.exists() else f"# Results\n\n{_BEGIN}{_END}\n"
    if _BEGIN not in old:
        old += f"\n{_BEGIN}{_END}\n"
    text = re.sub(f"{_BEGIN}.*?{_END}", lambda _: made, old, flags=re.DOTALL)
    with atomic_path(page) as part:
        part.write_text(text, encoding="utf-8")


def _shrink(source: Path, target: Path) -> None:
    """Pictures live in the repository for ever, so they are small."""
    with opened(source) as picture, atomic_path(target) as part:
        for quality in (88, 80, 70, 60, 50, 42):
            picture.save(part, quality=quality, optimize=True, progressive=True)
            if part.stat().st_size <= _PICTURE_BYTES:
                break
