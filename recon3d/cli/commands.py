"""The subcommands and their options; help texts are the text under each field."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import tyro
from tyro.conf import DisallowNone, FlagCreatePairsOff, Positional, UseAppendAction, arg
from tyro.extras import subcommand_type_from_defaults

from recon3d.cli.display import Display, Style
from recon3d.config import Config, Preset, preset, read_config, to_toml
from recon3d.pipeline import Inputs, Stage
from recon3d.run.device import Device, Runtime
from recon3d.run.task import CancelToken
from recon3d.stages.export import Outputs

_NO_DEFAULT = arg(help_behavior_hint="")
_OptionalPath = Annotated[Path | None, _NO_DEFAULT]
_ONE_STYLE = tyro.conf.create_mutex_group(required=False, title="what is shown")


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every subcommand can do."""

    supervised: ClassVar[bool] = False
    """Runs for so long that it needs a process that can be stopped at any moment."""
    log_folder: ClassVar[Path | None] = None
    """Where the traceback of an unexpected error goes; None is the system's temporary folder."""

    json: Annotated[bool, _ONE_STYLE, _NO_DEFAULT] = False
    """Print one JSON object per line, for programs."""
    quiet: Annotated[bool, _ONE_STYLE, _NO_DEFAULT] = False
    """Print errors only."""
    verbose: Annotated[bool, _ONE_STYLE, _NO_DEFAULT] = False
    """Print every step, and tracebacks."""

    @property
    def style(self) -> Style:
        """How the run is shown."""
        return (
            "json"
            if self.json
            else "quiet"
            if self.quiet
            else "verbose"
            if self.verbose
            else "normal"
        )

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Do it.

        Raises:
            ReconError: it cannot be done; says why.
            Cancelled: the user stopped it.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Settings(Command):
    """Where the settings come from: defaults, then the preset, then the file, then options."""

    preset: Preset = "balanced"
    """draft for a look in a minute, balanced for every day, fine when time does not matter."""
    config: _OptionalPath = None
    """TOML file of settings; `recon3d config` prints one. It outranks the preset, and options
    outrank it."""
    settings: Annotated[Config, arg(name="")] = field(default_factory=Config)


@dataclass(frozen=True, kw_only=True)
class PhotoCommand(Settings):
    """A run of the pipeline, or of its first stages."""

    supervised: ClassVar[bool] = True
    until: ClassVar[Stage]

    photos: Annotated[Positional[tuple[Path, ...]], arg(metavar="PHOTOS", help_behavior_hint="")]
    """A folder (searched through), a video, or photo files."""
    intrinsics: _OptionalPath = None
    """Camera calibration: our JSON, a 3x3 matrix, or a file of OpenCV, COLMAP, nerfstudio or
    Open3D. Estimated from the photos where it is missing."""
    poses: _OptionalPath = None
    """Known camera poses: a COLMAP model, transforms.json, or a folder of 4x4 texts."""
    masks: _OptionalPath = None
    """Folder of masks named like the photos, white = keep."""
    depth: _OptionalPath = None
    """Folder of a depth camera's maps, named like the photos; needs --poses and --intrinsics."""
    workspace: _OptionalPath = None
    """Folder that keeps finished work, so that nothing is computed twice. Default: beside the
    first output, with its name and the ending .recon3d."""
    device: Device = "auto"
    """auto takes the NVIDIA GPU where there is one; cpu and cuda insist."""
    workers: int = 0
    """Threads; 0 means one per core."""
    memory_gib: float = 0.0
    """Working memory to stay within, in GiB; 0 means 60 % of what is free."""

    @property
    def name(self) -> str:
        """What outputs are called unless the user says so."""
        first = self.photos[0].absolute()
        return (first.name if first.is_dir() else first.stem) or "scene"

    @property
    def inputs(self) -> Inputs:
        """The user's files."""
        return Inputs(
            photos=self.photos[0] if len(self.photos) == 1 else self.photos,
            intrinsics=self.intrinsics,
            poses=self.poses,
            masks=self.masks,
            sensor_depth=self.depth,
        )

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        raise NotImplementedError

    @property
    def effective(self) -> Config:
        """The settings after the command's short options."""
        return self.settings

    @property
    def runtime(self) -> Runtime:
        """How to run."""
        return Runtime(device=self.device, workers=self.workers, memory_gib=self.memory_gib)

    @property
    def workspace_folder(self) -> Path:
        """Where finished work is kept."""
        return self.workspace or _beside(self._first_output)

    @property
    def log_folder(self) -> Path:  # type: ignore[override]
        """The workspace."""
        return self.workspace_folder

    @property
    def _first_output(self) -> Path:
        outputs = self.outputs
        found = (*outputs.meshes, outputs.colmap, outputs.depth_maps)
        return next(path for path in found if path)

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Run the stages and say what became of the photos."""
        from recon3d.cli.run import run_photos

        run_photos(self, display, cancel)


@dataclass(frozen=True, kw_only=True)
class Mesh(PhotoCommand):
    """Turn photos into a mesh.

    recon3d mesh imgs/ --intrinsics K.json -o scene.ply
    """

    until: ClassVar[Stage] = Stage.MESH

    output: Annotated[UseAppendAction[tuple[Path, ...]], arg(aliases=["-o"])] = ()
    """Mesh to write: .ply, .obj, .glb or .stl. Default: the photos' name and .ply."""
    cloud: _OptionalPath = None
    """Point cloud to write (.ply)."""
    depth_maps: _OptionalPath = None
    """Folder to write depth maps to."""
    colmap: _OptionalPath = None
    """Folder to write the cameras to, as a COLMAP model."""
    transforms: _OptionalPath = None
    """File to write the cameras to, as nerfstudio's transforms.json."""
    report: _OptionalPath = None
    """Where to write a copy of the report (.html); one always lies in the workspace."""
    surface: Annotated[Literal["tsdf", "poisson"] | None, _NO_DEFAULT] = None
    """Short for --fuse.surface: tsdf leaves unseen places open, poisson closes everything."""
    faces: Annotated[int | None, _NO_DEFAULT] = None
    """Short for --mesh.faces: at most this many triangles; 0 keeps all."""

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        return Outputs(
            meshes=self.output or (Path(f"{self.name}.ply"),),
            cloud=self.cloud,
            depth_maps=self.depth_maps,
            colmap=self.colmap,
            transforms=self.transforms,
            report=self.report,
        )

    @property
    def effective(self) -> Config:
        """The settings with --surface and --faces."""
        config = self.settings
        if self.surface is not None:
            config = replace(config, fuse=replace(config.fuse, surface=self.surface))
        if self.faces is not None:
            config = replace(config, mesh=replace(config.mesh, faces=self.faces))
        return config


@dataclass(frozen=True, kw_only=True)
class Poses(PhotoCommand):
    """Find where each photo was taken: a COLMAP model and transforms.json."""

    until: ClassVar[Stage] = Stage.POSE

    output: Annotated[_OptionalPath, arg(aliases=["-o"])] = None
    """Folder to write to. Default: the photos' name and .poses."""

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        folder = self.output or Path(f"{self.name}.poses")
        return Outputs(colmap=folder / "colmap", transforms=folder / "transforms.json")

    @property
    def _first_output(self) -> Path:
        return self.output or Path(f"{self.name}.poses")


@dataclass(frozen=True, kw_only=True)
class Depth(PhotoCommand):
    """Find the depth of every photo: a folder of depth maps."""

    until: ClassVar[Stage] = Stage.DEPTH

    output: Annotated[_OptionalPath, arg(aliases=["-o"])] = None
    """Folder to write to. Default: the photos' name and .depth."""

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        return Outputs(depth_maps=self.output or Path(f"{self.name}.depth"))


@dataclass(frozen=True, kw_only=True)
class Fuse(PhotoCommand):
    """Fuse depth (from photos, or from a depth camera) into a raw mesh, without cleaning it."""

    until: ClassVar[Stage] = Stage.FUSE

    output: Annotated[UseAppendAction[tuple[Path, ...]], arg(aliases=["-o"])] = ()
    """Mesh to write: .ply, .obj, .glb or .stl. Default: the photos' name and .ply."""
    cloud: _OptionalPath = None
    """Point cloud to write (.ply)."""

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        return Outputs(meshes=self.output or (Path(f"{self.name}.ply"),), cloud=self.cloud)


@dataclass(frozen=True, kw_only=True)
class ShowConfig(Settings):
    """Print the settings in force as a TOML file that --config reads."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Print them."""
        display.result({"settings": asdict(self.settings)}, to_toml(self.settings).rstrip())


@dataclass(frozen=True, kw_only=True)
class Doctor(Command):
    """Say what this machine offers and what is missing."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Look."""
        from recon3d.cli.doctor import examine

        examine(display)


@dataclass(frozen=True, kw_only=True)
class Clean(Command):
    """Free the disk: delete what the workspace's latest run does not use."""

    workspace: Positional[Path]
    """The folder ending in .recon3d."""
    all: bool = False
    """Delete all of it; the next run starts afresh."""
    dry_run: bool = False
    """Only say what would be deleted."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Delete."""
        from recon3d.cli.clean import clean

        clean(self.workspace, display, everything=self.all, dry_run=self.dry_run)


def parse(arguments: Sequence[str]) -> Command:
    """The command of one command line.

    Raises:
        SystemExit: the user asked for help (code 0) or used it wrongly (code 2); tyro has printed.
        ConfigError: the settings file or a setting is impossible.
    """
    base = _base_settings(arguments)
    defaults: dict[str, Command] = {
        "mesh": Mesh(photos=tyro.MISSING, settings=base),
        "poses": Poses(photos=tyro.MISSING, settings=base),
        "depth": Depth(photos=tyro.MISSING, settings=base),
        "fuse": Fuse(photos=tyro.MISSING, settings=base),
        "config": ShowConfig(settings=base),
        "doctor": Doctor(),
        "clean": Clean(workspace=tyro.MISSING),
    }
    # Any: mypy does not follow a union that is made at run time.
    commands: Any = subcommand_type_from_defaults(
        defaults, {name: inspect.getdoc(command) or "" for name, command in defaults.items()}
    )
    command: Command = tyro.cli(
        commands,
        prog="recon3d",
        description="From a folder of photos to a clean mesh. `recon3d mesh --help` lists all "
        "options, `recon3d --version` prints the version.",
        args=list(arguments),
        config=(FlagCreatePairsOff, DisallowNone),
    )
    if isinstance(command, PhotoCommand) and not command.photos:
        raise SystemExit(_usage_error("Name a folder of photos, a video, or photo files."))
    return command


def _base_settings(arguments: Sequence[str]) -> Config:
    # tyro needs the defaults before it parses, and these two options decide them.
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--preset", nargs="?")
    early.add_argument("--config", nargs="?")
    given, _ = early.parse_known_args(list(arguments))
    base = preset(given.preset) if given.preset in get_args(Preset) else Config()
    return read_config(Path(given.config), base) if given.config else base


def _usage_error(message: str) -> int:
    sys.stderr.write(f"recon3d: {message} `recon3d --help` says more.\n")
    return 2


def _beside(output: Path) -> Path:
    return output.with_name(output.stem + ".recon3d")
