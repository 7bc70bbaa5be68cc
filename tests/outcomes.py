"""Outcomes of runs that never were."""

from __future__ import annotations

from recon3d.batch.jobs import Outcome


def done(name: str = "vase", **fields: object) -> Outcome:
    numbers = {"given": 10, "placed": 8, "triangles": 1234, "seconds": 20.0}
    return Outcome(object=name, **{**numbers, **fields})  # type: ignore[arg-type]


def failed(name: str = "jug") -> Outcome:
    return Outcome(object=name, seconds=1.0, error="Too dark.", hint="Use a lamp.")
