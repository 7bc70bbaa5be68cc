"""A stage of the method as a value: what it is called, what it runs, how its folder is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from recon3d.run.cost import Cost

T = TypeVar("T")
U = TypeVar("U")

_BUILDS = {"opencv": ("opencv-python", "opencv-python-headless", "opencv-contrib-python")}


class Digested(Protocol):
    """Anything from outside that a stage works on, named by what is in it."""

    @property
    def digest(self) -> str:
        """Same digest, same content."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage(Generic[T]):
    """One stage; its room makes one of these, and `recon3d.stage.STAGES` lists them all."""

    name: str
    """Of its folder in the workspace, and to people."""
    result: str
    """The field of Results that holds what it makes."""
    version: int
    """Raise it when the same inputs give another result: what is cached is then computed again."""
    run: Callable[..., None]
    """Called with the inputs' values, its config, the folder to write into, and its task. The
    folder may already hold whole items of an interrupted run; those are skipped."""
    read: Callable[[Path], T]
    """From the finished folder to core types."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version changes the result, as `library_version` knows them."""
    warnings: Callable[[Path], Iterable[str]] = lambda folder: ()
    """What makes the result in a finished folder worse than it looks; told on every run."""

    @property
    def library_versions(self) -> list[str]:
        """As they are installed, for the key."""
        return [f"{name} {library_version(name)}" for name in self.libraries]


@cache
def library_version(name: str) -> str:
    """The version of a distribution, "none" without it; opencv is whichever build there is."""
    for distribution in _BUILDS.get(name, (name,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "none"


@dataclass(frozen=True, eq=False)
class StageResult(Generic[T]):
    """A stage's result and where it lies."""

    stage: str
    key: str
    """Same key, same result; the folder's name, unless another stage's result has joined it."""
    folder: Path
    read: Callable[[], T]
    cost: Cost
    cached: bool

    @cached_property
    def value(self) -> T:
        """The result, read when first asked for."""
        return self.read()

    def map(self, change: Callable[[T], U]) -> StageResult[U]:
        """The same result in another form, made when asked for."""
        return StageResult(
            self.stage, self.key, self.folder, lambda: change(self.value), self.cost, self.cached
        )

    def joined(self, other: StageResult[U], join: Callable[[T, U], T]) -> StageResult[T]:
        """The result with what a later stage adds to it, put together when asked for."""
        key = hashlib.sha256(f"{self.key} {other.key}".encode()).hexdigest()[:16]
        return replace(self, key=key, read=lambda: join(self.value, other.value))
