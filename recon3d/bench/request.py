"""What a bench asks of the process that runs one set, and where that puts its answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from recon3d.config import Config, read_config, to_toml
from recon3d.run.device import Runtime


@dataclass(frozen=True)
class Request:
    """Run one set; everything about it lies in `folder`."""

    name: str
    data: Path | None
    """Folder with the photo sets."""
    folder: Path
    runtime: Runtime

    @property
    def row(self) -> Path:
        """The measured row, a list of one."""
        return self.folder / "row.json"

    @property
    def still(self) -> Path:
        """The picture; missing where there is no mesh."""
        return self.folder / "still.jpg"

    @property
    def rendered(self) -> Path:
        """Photos and truth of a set that the bench renders itself."""
        return self.folder / "town"

    @property
    def workspace(self) -> Path:
        """The run's own workspace."""
        return self.folder / "work.recon3d"

    @property
    def config(self) -> Config:
        """The settings before the set's own overrides."""
        return read_config(self.folder / "settings.toml")

    def write(self, config: Config) -> Path:
        """Write the request and its settings; older answers go. Returns the request's file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.row.unlink(missing_ok=True)
        self.still.unlink(missing_ok=True)
        settings = to_toml(config, comments=False)
        (self.folder / "settings.toml").write_text(settings, encoding="utf-8")
        target = self.folder / "request.json"
        data = str(self.data) if self.data else None
        content = {"name": self.name, "data": data, "runtime": asdict(self.runtime)}
        target.write_text(json.dumps(content), encoding="utf-8")
        return target

    @staticmethod
    def read(source: Path) -> Request:
        """Read what `write` wrote."""
        content = json.loads(source.read_text(encoding="utf-8"))
        data = Path(content["data"]) if content["data"] else None
        return Request(content["name"], data, source.parent, Runtime(**content["runtime"]))
