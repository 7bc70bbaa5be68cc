"""Measure whole runs on named photo sets against what is known of them."""

from recon3d.bench.compare import difference_table
from recon3d.bench.rows import BenchRow, load_earlier, load_rows, markdown, save_rows
from recon3d.bench.runner import run_bench
from recon3d.bench.sets import MEMORY_SETS, SETS, TOWN_SETS

__all__ = [
    "MEMORY_SETS",
    "SETS",
    "TOWN_SETS",
    "BenchRow",
    "difference_table",
    "load_earlier",
    "load_rows",
    "markdown",
    "run_bench",
    "save_rows",
]
