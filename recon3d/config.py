"""Every setting of a run: one dataclass per stage, presets, and TOML."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from recon3d.stages.depth import DepthConfig
from recon3d.stages.export import ExportConfig
from recon3d.stages.fuse import FuseConfig
from recon3d.stages.ingest import IngestConfig
from recon3d.stages.mesh import MeshConfig
from recon3d.stages.pose import PoseConfig
from recon3d.stages.refine import RefineConfig

Preset = Literal["draft", "balanced", "fine"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to compute; together with the photos it decides the result."""

    ingest: IngestConfig = field(default_factory=IngestConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    fuse: FuseConfig = field(default_factory=FuseConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)
    export: ExportConfig = field(default_factory=ExportConfig)


def preset(name: Preset) -> Config:
    """draft for a look in a minute, balanced for every day, fine when time does not matter."""
    config = Config()
    if name == "draft":
        return replace(
            config,
            pose=replace(config.pose, feature_px=1000, features=4000),
            depth=replace(config.depth, resolution_px=800, source_views=4, planes=96),
            mesh=replace(config.mesh, faces=100_000),
        )
    if name == "fine":
        return replace(
            config,
            pose=replace(config.pose, feature_px=2400, features=12000),
            depth=replace(config.depth, resolution_px=2400, source_views=8, planes=192),
            fuse=replace(config.fuse, voxel_pixels=1.0),
            mesh=replace(config.mesh, faces=1_000_000),
        )
    return config
