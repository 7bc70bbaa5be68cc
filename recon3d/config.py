"""Every setting of a run: one dataclass per stage, presets, and TOML."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import tomli_w

from recon3d.core.errors import ConfigError
from recon3d.depth.align import AlignConfig
from recon3d.depth.consistency import RefineConfig
from recon3d.depth.estimate import DepthConfig
from recon3d.export.textures import ExportConfig
from recon3d.georef.control.survey import ControlConfig
from recon3d.georef.frame import FrameConfig
from recon3d.language import translate, word
from recon3d.photos.ingest import IngestConfig
from recon3d.photos.panorama_views import PanoramaConfig
from recon3d.run.documents import parse_toml
from recon3d.segmentation.object_masks import MasksConfig
from recon3d.sfm.structure_from_motion import PoseConfig
from recon3d.surface.fuse import FuseConfig
from recon3d.surface.levels import LevelsConfig
from recon3d.surface.mesh import MeshConfig
from recon3d.surface.relief import ReliefConfig
from recon3d.surface.solid.solid import SolidConfig
from recon3d.texture.maps import BakeConfig
from recon3d.texture.texture import TextureConfig

Preset = Literal["draft", "balanced", "fine"]
_WIDTH = 98
"""Of the lines of explanations in a TOML file."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to compute; together with the photos it decides the result."""

    panorama: PanoramaConfig = field(default_factory=PanoramaConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)
    control: ControlConfig = field(default_factory=ControlConfig)
    masks: MasksConfig = field(default_factory=MasksConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    align: AlignConfig = field(default_factory=AlignConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    fuse: FuseConfig = field(default_factory=FuseConfig)
    relief: ReliefConfig = field(default_factory=ReliefConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)
    solid: SolidConfig = field(default_factory=SolidConfig)
    levels: LevelsConfig = field(default_factory=LevelsConfig)
    texture: TextureConfig = field(default_factory=TextureConfig)
    bake: BakeConfig = field(default_factory=BakeConfig)
    frame: FrameConfig = field(default_factory=FrameConfig)
    export: ExportConfig = field(default_factory=ExportConfig)


def preset(name: Preset) -> Config:
    """Draft for a look in a minute, balanced for every day, fine when time does not matter."""
    config = Config()
    if name == "draft":
        return replace(
            config,
            pose=replace(config.pose, feature_px=1000, features=4000),
            depth=replace(config.depth, resolution_px=800, source_views=4, planes=96),
            refine=replace(config.refine, plain_regions=False, search_passes=0),
            mesh=replace(config.mesh, faces=100_000, photometric=False),
        )
    if name == "fine":
        return replace(
            config,
            pose=replace(config.pose, feature_px=2400, features=12000),
            depth=replace(config.depth, resolution_px=2400, source_views=8, planes=192),
            fuse=replace(config.fuse, voxel_pixels=1.0),
            relief=replace(config.relief, raw_faces=4_000_000),
            mesh=replace(config.mesh, faces=1_000_000),
        )
    return config


def read_config(path: Path, base: Config | None = None) -> Config:
    """Read the settings that a TOML file names; all others keep their value in `base`.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has an unknown name or an impossible
            value.
    """
    try:
        content = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"Cannot read the settings file {path}: {error.strerror}.",
            hint="`recon3d config > settings.toml` writes one to start from.",
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{path} is not a TOML file: {error}.",
            hint="`recon3d config` prints what one looks like.",
        ) from error
    try:
        return updated(base or Config(), content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", hint=error.hint) from error


def updated(config: Config, content: Mapping[str, object]) -> Config:
    """Replace the settings that {stage: {name: value}} names.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or out of range.
    """
    stages = {}
    for stage, settings in content.items():
        if stage not in {f.name for f in dataclasses.fields(Config)}:
            raise _unknown(
                f"There is no section {stage}.", stage, (f.name for f in dataclasses.fields(Config))
            )
        if not isinstance(settings, Mapping):
            raise ConfigError(
                f"{stage} must be a section, got {settings!r}.",
                hint=f"Write [{stage}] on a line of its own, and its settings below.",
            )
        stages[stage] = _updated_stage(stage, getattr(config, stage), settings)
    return replace(config, **stages)


def to_toml(config: Config, *, comments: bool = True) -> str:
    """Write every setting as TOML, its explanation above it."""
    lines: list[str] = []
    for stage in dataclasses.fields(Config):
        settings = getattr(config, stage.name)
        settings_type: type = type(settings)
        explanations = field_docs(settings_type)
        lines.append(f"[{stage.name}]")
        for name, value in dataclasses.asdict(settings).items():
            if comments:
                lines += [f"# {line}" for line in _explanation(explanations.get(name, ""))]
            # TOML has no word for None, which is then the default of a field that allows it.
            line = "" if value is None else tomli_w.dumps({name: value}).rstrip()
            lines.append(line or f"# {name} =")
        lines.append("")
    return "\n".join(lines)


def _explanation(text: str) -> list[str]:
    """The lines of an explanation in the reader's language."""
    told = translate(text)
    return text.splitlines() if told == text else textwrap.wrap(told, _WIDTH)


@cache
def field_docs(config_type: type) -> dict[str, str]:
    """The explanation under each field of a config dataclass, for help texts and forms."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(config_type)))
    body = cast(ast.ClassDef, tree.body[0]).body
    docs = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = inspect.cleandoc(text)
    return docs


def _updated_stage(stage: str, settings: Any, content: Mapping[str, object]) -> Any:
    hints = get_type_hints(type(settings))
    for name, value in content.items():
        if name not in hints:
            raise _unknown(
                f"There is no setting {stage}.{name}.",
                f"{stage}.{name}",
                (f"{stage}.{known}" for known in hints),
            )
        if not _fits(value, hints[name]):
            raise ConfigError(f"{stage}.{name} must be {_in_words(hints[name])}, got {value!r}.")
    return replace(settings, **{name: _exact(v, hints[name]) for name, v in content.items()})


def _exact(value: Any, hint: Any) -> Any:
    """1 and 1.0 are the same setting and must give the same cache key; so are lists and tuples."""
    if isinstance(value, list):
        return tuple(float(each) for each in value)
    return float(value) if hint is float else value


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, arm) for arm in get_args(hint))
    if get_origin(hint) is tuple:
        arms = get_args(hint)
        return (
            isinstance(value, list | tuple)
            and len(value) == len(arms)
            and all(map(_fits, value, arms))
        )
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if hint is float else hint)


def _in_words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_in_words(arm) for arm in get_args(hint) if arm is not NoneType)
    if get_origin(hint) is tuple:
        return f"a list of {len(get_args(hint))} numbers"
    words = word({int: "a whole number", float: "a number", str: "a text", bool: "true or false"})
    return words.get(hint) or str(hint)


def _unknown(message: str, name: str, known: Iterable[str]) -> ConfigError:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
    return ConfigError(
        message,
        hint=f"Did you mean {near}? `recon3d config` prints all of them.",
    )
