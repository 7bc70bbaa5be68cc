"""The subcommands and their options; help texts are the text under each field."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args

import tyro
from tyro.conf import DisallowNone, FlagCreatePairsOff, Positional, UseAppendAction, arg
from tyro.extras import subcommand_type_from_defaults

from recon3d.cli.addon import Addon
from recon3d.cli.batch import Batch
from recon3d.cli.calibrate import Calibrate
from recon3d.cli.cameras import Undistort, intrinsics_group
from recon3d.cli.coach import Coach
from recon3d.cli.display import Display
from recon3d.cli.evaluate import Evaluate
from recon3d.cli.export import Export
from recon3d.cli.gui import Gui
from recon3d.cli.help_words import translated_help
from recon3d.cli.mesh_info import MeshInfo
from recon3d.cli.models import models_group
from recon3d.cli.options import (
    Command,
    Computation,
    DepthSettings,
    MeshSettings,
    OptionalPath,
    PhotoCommand,
    Settings,
)
from recon3d.cli.ortho import Ortho
from recon3d.cli.print_board import PrintBoard
from recon3d.cli.share import Share
from recon3d.cli.texture import Texture
from recon3d.cli.train import train_group
from recon3d.config import Config, Preset, preset, read_config, to_toml
from recon3d.export.export import Outputs
from recon3d.language import LANGUAGES, speak, translate
from recon3d.results import Until
from recon3d.run.task import CancelToken


@dataclass(frozen=True, kw_only=True)
class DepthCommand(DepthSettings, PhotoCommand):
    """A run that estimates depth."""


@dataclass(frozen=True, kw_only=True)
class Mesh(MeshSettings, DepthCommand):
    """Turn photos into a mesh.

    recon3d mesh imgs/ --intrinsics K.json -o scene.ply; a single photo becomes a relief.
    """

    output: Annotated[UseAppendAction[tuple[Path, ...]], arg(aliases=["-o"])] = ()
    """Mesh to write: .ply, .obj, .glb, .stl, .3mf or .usdz. Default: the photos' name and .ply."""
    cloud: OptionalPath = None
    """Point cloud to write: .ply, or .las or .laz in the coordinates of the earth (--crs)."""
    depth_maps: OptionalPath = None
    """Folder to write depth maps to."""
    colmap: OptionalPath = None
    """Folder to write the cameras to, as a COLMAP model."""
    transforms: OptionalPath = None
    """File to write the cameras to, as nerfstudio's transforms.json."""
    blender: OptionalPath = None
    """Folder to write the model to with its cameras, photos and points, and a script that opens
    them in Blender."""
    report: OptionalPath = None
    """Where to write a copy of the report (.html); one always lies in the workspace."""

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        return Outputs(
            meshes=self.output or (Path(f"{self.name}.ply"),),
            cloud=self.cloud,
            depth_maps=self.depth_maps,
            colmap=self.colmap,
            transforms=self.transforms,
            blender=self.blender,
            report=self.report,
        )


@dataclass(frozen=True, kw_only=True)
class Poses(PhotoCommand):
    """Find where each photo was taken: a COLMAP model and transforms.json."""

    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """Folder to write to. Default: the photos' name and .poses."""

    @property
    def until(self) -> Until:
        """Last stage to run."""
        return Until.POSE

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        folder = self.output or Path(f"{self.name}.poses")
        return Outputs(colmap=folder / "colmap", transforms=folder / "transforms.json")

    @property
    def _first_output(self) -> Path:
        return self.output or Path(f"{self.name}.poses")


@dataclass(frozen=True, kw_only=True)
class Depth(DepthCommand):
    """Find the depth of every photo: a folder of depth maps."""

    output: Annotated[OptionalPath, arg(aliases=["-o"])] = None
    """Folder to write to. Default: the photos' name and .depth."""

    @property
    def until(self) -> Until:
        """Last stage to run."""
        return Until.DEPTH

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        return Outputs(depth_maps=self.output or Path(f"{self.name}.depth"))


@dataclass(frozen=True, kw_only=True)
class Fuse(DepthCommand):
    """Fuse depth (from photos, or from a depth camera) into a raw mesh, without cleaning it."""

    output: Annotated[UseAppendAction[tuple[Path, ...]], arg(aliases=["-o"])] = ()
    """Mesh to write: .ply, .obj, .glb, .stl, .3mf or .usdz. Default: the photos' name and .ply."""
    cloud: OptionalPath = None
    """Point cloud to write: .ply, or .las or .laz in the coordinates of the earth (--crs)."""

    @property
    def until(self) -> Until:
        """Last stage to run."""
        return Until.FUSE

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        return Outputs(meshes=self.output or (Path(f"{self.name}.ply"),), cloud=self.cloud)


@dataclass(frozen=True, kw_only=True)
class ShowConfig(Settings):
    """Print the settings in force as a TOML file that --config reads."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Print them."""
        display.result({"settings": asdict(self.settings)}, to_toml(self.settings).rstrip(),
                       verbatim=True)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Doctor(Command):
    """Say what this machine offers and what is missing, or the machines of a cluster."""

    cluster: Annotated[str, arg(metavar="HOST:PORT", help_behavior_hint="")] = ""
    """Ray cluster to look at in place of this machine, or auto for the one that this machine
    belongs to."""
    workspace: OptionalPath = None
    """Folder that all machines of the cluster must see. Default: the current one."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Look."""
        if self.cluster:
            from recon3d.cli.doctor_cluster import examine_cluster

            examine_cluster(self.cluster, self.workspace or Path.cwd(), display)
            return
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


@dataclass(frozen=True, kw_only=True)
class Bench(Computation):
    """Measure accuracy, time and memory on photo sets whose truth is known.

    recon3d bench example; `recon3d bench depth` times the depth estimators instead.
    """

    sets: Annotated[Positional[tuple[str, ...]], arg(metavar="SETS")] = ()
    """Names of sets; all of them where none is named. "depth" alone: only speed."""
    data: OptionalPath = None
    """Folder with the sets. Default: what the environment variable RECON3D_DATA names."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("out/bench")
    """Folder for the table, the stills and the workspaces."""
    page: OptionalPath = None
    """Markdown page whose part between <!-- bench --> and <!-- /bench --> gets the table."""
    against: OptionalPath = None
    """bench.json of an earlier bench: also print what is better and what is worse than there."""

    @property
    def log_folder(self) -> Path:
        """The folder for the table."""
        return self.output

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Run the sets one after the other."""
        from recon3d.bench import difference_table, load_earlier, markdown, run_bench
        from recon3d.bench.speed import bench_depth, speed_table

        if self.sets == ("depth",):
            speeds = bench_depth(self.output, self.runtime, display, cancel=cancel)
            measured = {"rows": [asdict(row) for row in speeds]}
            display.result(measured, speed_table(speeds), verbatim=True)
            return
        # Read first: it may be the file that this run replaces.
        earlier = load_earlier(self.against) if self.against else None
        rows = run_bench(
            self.sets,
            self.data,
            self.output,
            self.settings,
            self.runtime,
            display,
            cancel=cancel,
            page=self.page,
        )
        text = markdown(rows)
        if earlier is not None:
            text += "\n\n" + difference_table(rows, earlier)
        display.result({"rows": [asdict(row) for row in rows]}, text, verbatim=True)


def parse(arguments: Sequence[str]) -> Command:
    """The command of one command line.

    Raises:
        SystemExit: the user asked for help (code 0) or used it wrongly (code 2); tyro has printed.
        ConfigError: the settings file or a setting is impossible.
    """
    base = _base_settings(arguments)
    defaults: dict[str, Command] = {
        "mesh": Mesh(photos=tyro.MISSING, settings=base),
        "batch": Batch(parent=tyro.MISSING, settings=base),
        "gui": Gui(),
        "poses": Poses(photos=tyro.MISSING, settings=base),
        "depth": Depth(photos=tyro.MISSING, settings=base),
        "fuse": Fuse(photos=tyro.MISSING, settings=base),
        "config": ShowConfig(settings=base),
        "mesh-info": MeshInfo(files=tyro.MISSING),
        "doctor": Doctor(),
        "clean": Clean(workspace=tyro.MISSING),
        "export": Export(workspace=tyro.MISSING),
        "share": Share(model=tyro.MISSING),
        "addon": Addon(),
        "coach": Coach(workspace=tyro.MISSING),
        "ortho": Ortho(workspace=tyro.MISSING),
        "texture": Texture(workspace=tyro.MISSING, mesh=tyro.MISSING),
        "bench": Bench(settings=base),
        "eval": Evaluate(data=tyro.MISSING),
        "calibrate": Calibrate(photos=tyro.MISSING),
        "board": PrintBoard(),
        "undistort": Undistort(photos=tyro.MISSING, intrinsics=tyro.MISSING, output=tyro.MISSING),
    }
    # Any: mypy does not follow a union that is made at run time.
    commands: Any = subcommand_type_from_defaults(
        defaults,
        {name: translate(inspect.getdoc(command) or "") for name, command in defaults.items()},
    )
    commands = Union[commands, train_group(), models_group(), intrinsics_group()]  # noqa: UP007 - made at run time
    with translated_help():
        command: Command = tyro.cli(
            commands,
            prog="recon3d",
            description=translate(
                "From a folder of photos to a clean mesh. `recon3d mesh --help` lists all "
                "options, `recon3d --version` prints the version."
            ),
            args=list(arguments),
            config=(FlagCreatePairsOff, DisallowNone),
        )
    if isinstance(command, PhotoCommand) and not command.photos:
        raise SystemExit(_usage_error("Name a folder of photos, a video, or photo files."))
    return command


def _base_settings(arguments: Sequence[str]) -> Config:
    # tyro needs the defaults before it parses, and these options decide them and its words.
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--preset", nargs="?")
    early.add_argument("--config", nargs="?")
    early.add_argument("--language", nargs="?")
    given, _ = early.parse_known_args(list(arguments))
    if given.language in LANGUAGES:
        speak(given.language)
    base = preset(given.preset) if given.preset in get_args(Preset) else Config()
    return read_config(Path(given.config), base) if given.config else base


def _usage_error(message: str) -> int:
    more = translate("`recon3d --help` says more.")
    sys.stderr.write(" ".join(("recon3d:", translate(message), more)) + "\n")
    return 2
