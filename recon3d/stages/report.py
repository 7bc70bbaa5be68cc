"""What happened, for people and programs: report.html and report.json."""

from __future__ import annotations
