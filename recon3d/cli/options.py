"""What subcommands share: the user's files, settings, the machine, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional, UseAppendAction, arg

from recon3d.cli.display import Display, Style
from recon3d.cli.supervisor import GRACE_SECONDS
from recon3d.config import Config, Preset
from recon3d.core.orientation import DescribedPixels
from recon3d.export.export import Outputs
from recon3d.language import Language
from recon3d.photos.mask_command import MaskCommand
from recon3d.photos.panoramas import PanoramaKind
from recon3d.results import Components, Inputs, Until
from recon3d.run.device import Device, Runtime
from recon3d.run.task import CancelToken
from recon3d.segmentation.object_masks import MasksConfig
from recon3d.surface.fuse import SurfaceKind
from recon3d.surface.mesh import Crop

NO_DEFAULT = arg(help_behavior_hint="")
OptionalPath = Annotated[Path | None, NO_DEFAULT]
_ONE_STYLE = tyro.conf.create_mutex_group(required=False, title="what is shown")


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every subcommand can do."""

    supervised: ClassVar[bool] = False
    """Runs for so long that it needs a process that can be stopped at any moment."""
    grace_seconds: ClassVar[float] = GRACE_SECONDS
    """What a supervised command gets to end by itself when the user stops it."""
    environment: ClassVar[Mapping[str, str]] = {}
    """Variables for the process of a supervised command."""

    json: Annotated[bool, _ONE_STYLE, NO_DEFAULT] = False
    """Print one JSON object per line, for programs."""
    quiet: Annotated[bool, _ONE_STYLE, NO_DEFAULT] = False
    """Print errors only."""
    verbose: Annotated[bool, _ONE_STYLE, NO_DEFAULT] = False
    """Print every step, and tracebacks."""
    language: Annotated[Language | None, NO_DEFAULT] = None
    """Of words and report: en, de or zh. Default: what RECON3D_LANGUAGE says, else the system's.
    --json is always English."""

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

    @property
    def log_folder(self) -> Path | None:
        """Where a command works, and the traceback of an unexpected error goes.

        None: nowhere in particular; the traceback goes to a folder of its own.
        """
        return None

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
    config: OptionalPath = None
    """TOML file of settings; `recon3d config` prints one. It outranks the preset, and options
    outrank it."""
    settings: Annotated[Config, arg(name="")] = field(default_factory=Config)


@dataclass(frozen=True, kw_only=True)
class Computation(Settings):
    """Work that takes minutes, and what it may use of the machine."""

    supervised: ClassVar[bool] = True

    device: Device = "auto"
    """auto takes the NVIDIA GPU where there is one; cpu and cuda insist."""
    workers: int = 0
    """Threads; 0 means one per core."""
    memory_gib: float = 0.0
    """Memory that the run stays within, in GiB; 0 means three quarters of what is free. Below
    8 it may cost detail, which the run then says."""
    cluster: Annotated[str, arg(metavar="HOST:PORT", help_behavior_hint="")] = ""
    """Ray cluster whose machines compute depth and texture together, or auto for the one that
    this machine belongs to. The workspace must lie where all of them see it (docs/CLUSTER.md).
    auto as --device then means cpu."""

    @property
    def runtime(self) -> Runtime:
        """How to run."""
        return Runtime(
            device=self.device,
            workers=self.workers,
            memory_gib=self.memory_gib,
            cluster=self.cluster,
        )


@dataclass(frozen=True, kw_only=True)
class ShortSettings(Computation):
    """Short options for settings of any photos."""

    depth_unit: Annotated[float | None, NO_DEFAULT] = None
    """Short for --ingest.depth-unit: metres of one grey level of the depth maps, 0.001 unless told;
    0.0002 for TUM's."""
    orientation: Annotated[DescribedPixels | None, NO_DEFAULT] = None
    """Short for --ingest.orientation: which pixels your cameras, masks, depth maps and marks are
    for where EXIF turns a photo, stored or upright; auto goes by their size."""
    panorama: Annotated[PanoramaKind | None, NO_DEFAULT] = None
    """Short for --panorama.photos: which photos or videos are 360-degree ones (equirectangular);
    auto takes those that say so themselves, all takes every one."""
    marker_size: Annotated[float | None, NO_DEFAULT] = None
    """Short for --frame.marker-size: edge in metres of ArUco or AprilTag markers in the scene."""
    up: Annotated[str | None, NO_DEFAULT] = None
    """Short for --frame.up: auto, none, or an axis of your poses such as +z (write --up=-y)."""

    @property
    def effective(self) -> Config:
        """The settings after the command's short options."""
        ingest, frame = self.settings.ingest, self.settings.frame
        panorama = self.settings.panorama
        if self.panorama is not None:
            panorama = replace(panorama, photos=self.panorama)
        if self.depth_unit is not None:
            ingest = replace(ingest, depth_unit=self.depth_unit)
        if self.orientation is not None:
            ingest = replace(ingest, orientation=self.orientation)
        if self.marker_size is not None:
            frame = replace(frame, marker_size=self.marker_size)
        if self.up is not None:
            frame = replace(frame, up=self.up)
        return replace(self.settings, panorama=panorama, ingest=ingest, frame=frame)


@dataclass(frozen=True, kw_only=True)
class DepthSettings(ShortSettings):
    """Short options for settings of depth."""

    depth_model: Annotated[str | None, NO_DEFAULT] = None
    """Short for --depth.model: a depth estimator, a network on the hub (owner/name), a folder with
    one, or A+B; `recon3d models` lists them."""

    @property
    def effective(self) -> Config:
        """The settings with --depth-model."""
        config = super().effective
        if self.depth_model is None:
            return config
        return replace(config, depth=replace(config.depth, model=self.depth_model))


@dataclass(frozen=True, kw_only=True)
class MeshSettings(DepthSettings):
    """Short options for settings of meshes."""

    surface: Annotated[SurfaceKind | None, NO_DEFAULT] = None
    """Short for --fuse.surface: auto closes holes that no camera looked through, seen leaves out
    all that was not seen, tsdf closes only small holes, poisson closes everything."""
    faces: Annotated[int | None, NO_DEFAULT] = None
    """Short for --mesh.faces: at most this many triangles; 0 keeps all."""
    lod: Annotated[int | None, NO_DEFAULT] = None
    """Short for --levels.count: also write scene_lod1.ply and so on, up to this many meshes, each
    with a quarter of the faces."""
    bake: Annotated[Literal["normal", "ao", "normal,ao"] | None, NO_DEFAULT] = None
    """Short for --bake.normal and --bake.ao: maps that let few --faces look like many, in .glb and
    beside .obj."""
    watertight: bool = False
    """Short for --solid.watertight: make a closed solid, for 3D printing; -o scene.3mf or .stl."""
    base: Annotated[Literal["ground", "plate"] | None, NO_DEFAULT] = None
    """Short for --watertight --solid.base: stand the solid flat on the ground, or on a plate."""
    crop: Annotated[Crop | None, NO_DEFAULT] = None
    """Short for --mesh.crop: keep only a box, xmin ymin zmin xmax ymax zmax in the exported model
    (the z-up formats)."""
    no_texture: bool = False
    """Leave .glb, .obj and .usdz with the colours of their vertices."""

    @property
    def until(self) -> Until | None:
        """Last stage to run; None: as far as the outputs need."""
        return Until.MESH if self.no_texture else None

    @property
    def effective(self) -> Config:
        """The settings with the short options above."""
        config = super().effective
        if self.surface is not None:
            config = replace(config, fuse=replace(config.fuse, surface=self.surface))
        if self.faces is not None:
            config = replace(config, mesh=replace(config.mesh, faces=self.faces))
        if self.crop is not None:
            config = replace(config, mesh=replace(config.mesh, crop=self.crop))
        if self.watertight or self.base is not None:
            config = replace(config, solid=replace(config.solid, watertight=True))
        if self.base is not None:
            config = replace(config, solid=replace(config.solid, base=self.base))
        if self.bake is not None:
            kinds = {kind: True for kind in self.bake.split(",")}
            config = replace(config, bake=replace(config.bake, **kinds))
        if self.lod is not None:
            config = replace(config, levels=replace(config.levels, count=self.lod))
        return config


@dataclass(frozen=True, kw_only=True)
class PhotoCommand(ShortSettings):
    """A run of the pipeline, or of its first stages."""

    photos: Annotated[Positional[tuple[Path, ...]], arg(metavar="PHOTOS", help_behavior_hint="")]
    """Folders (searched through), photo files, or a video."""
    exclude: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="PHOTO")] = ()
    """A photo to leave out: its path below the folder, or a pattern such as "blurred/*"; may be
    given several times."""
    intrinsics: OptionalPath = None
    """Camera calibration: our JSON, a matrix, or a file of OpenCV, COLMAP, nerfstudio, KITTI,
    Metashape or Open3D. Estimated from the photos where it is missing."""
    poses: OptionalPath = None
    """Known camera poses: a COLMAP model, transforms.json, a folder of 4x4 texts, or a file of
    TUM, KITTI, LLFF, Metashape, RealityCapture, Bundler, Open3D, Polycam or Record3D."""
    masks: Annotated[
        Literal["auto"] | Path | None, arg(metavar="FOLDER|auto", help_behavior_hint="")
    ] = None
    """Folder of masks named like the photos, white = keep; or auto: find the object that the
    photos go around, or that turns before them, and leave out everything else (a folder of that
    name is ./auto). Rooms and facades go on without."""
    mask_command: Annotated[str | None, NO_DEFAULT, arg(metavar="TEXT")] = None
    """A program that makes the masks of photos without one, such as
    "rembg i -om {photo} {mask}": it is run once for each photo, without a shell, and must write a
    picture, white = keep, to the path that stands for {mask}."""
    mask_timeout: float = 300.0
    """Seconds that --mask-command may take for a photo."""
    depth: OptionalPath = None
    """Folder of a depth camera's maps, named like the photos; needs --poses and --intrinsics."""
    scale: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TEXT")] = ()
    """A known distance: two pixels of your photos and the metres between them, for example
    "a.jpg:812,440 a.jpg:1210,455 = 0.42"; may be given several times. --frame.scale says more."""
    gcp: OptionalPath = None
    """Ground control points, which say where the model lies, how large it is and what is up: a
    table with the columns name,E,N,H[,accuracy] and their marks in photos (photo,x,y), or
    OpenDroneMap's gcp_list.txt."""
    gcp_marks: OptionalPath = None
    """Their marks, where another file has them: a table with the columns name,photo,x,y."""
    scale_bars: OptionalPath = None
    """Known lengths between marked points: a table with the columns from,to,length_m,accuracy_m.
    Points without coordinates are marked by --gcp-marks alone."""
    check: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="POINT")] = ()
    """A ground control point to measure and not to use; may be given several times."""
    crs: Annotated[str | None, NO_DEFAULT] = None
    """Short for --export.crs: coordinate reference system of .las and .laz, such as EPSG:25832."""
    components: Components = "largest"
    """Photos of things that do not hang together, such as two rooms, are several scenes: make a
    model of the largest only, or of all (scene_2.ply beside scene.ply, and so on)."""
    workspace: OptionalPath = None
    """Folder that keeps finished work, so that nothing is computed twice. Default: beside the
    first output, with its name and the ending .recon3d."""

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
            masks=self.masks if isinstance(self.masks, Path) else None,
            mask_command=None
            if self.mask_command is None
            else MaskCommand(command=self.mask_command, timeout_s=self.mask_timeout),
            sensor_depth=self.depth,
            gcp=self.gcp,
            gcp_marks=self.gcp_marks,
            scale_bars=self.scale_bars,
            excluded=frozenset(self.exclude),
        )

    @property
    def outputs(self) -> Outputs:
        """What to write."""
        raise NotImplementedError

    @property
    def until(self) -> Until | None:
        """Last stage to run; None: as far as the outputs need."""
        return None

    @property
    def effective(self) -> Config:
        """The settings after the command's short options."""
        config = super().effective
        if self.check:
            control = replace(config.control, check=",".join(self.check))
            config = replace(config, control=control)
        if self.scale:
            config = replace(config, frame=replace(config.frame, scale="; ".join(self.scale)))
        if self.masks == "auto":
            config = replace(config, masks=MasksConfig(auto=True))
        if self.crs is not None:
            config = replace(config, export=replace(config.export, crs=self.crs))
        return config

    @property
    def workspace_folder(self) -> Path:
        """Where finished work is kept."""
        return self.workspace or _beside(self._first_output)

    @property
    def log_folder(self) -> Path | None:
        """The workspace."""
        try:
            return self.workspace_folder
        except OSError:  # it is called after photos whose name no disk takes
            return None

    @property
    def _first_output(self) -> Path:
        outputs = self.outputs
        found = (*outputs.meshes, outputs.colmap, outputs.depth_maps)
        return next(path for path in found if path)

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Run the stages and say what became of the photos."""
        from recon3d.cli.run import run_photos

        run_photos(self, display, cancel)


def _beside(output: Path) -> Path:
    return output.with_name(output.stem + ".recon3d")
