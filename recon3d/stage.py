"""The stages of the method, in order: the only list of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recon3d.depth.align import ALIGN
from recon3d.depth.consistency import CHECK_CONSISTENCY
from recon3d.depth.estimate import ESTIMATE
from recon3d.depth.patchmatch.stages import GEOMETRIC, PATCHMATCH
from recon3d.depth.plain_regions import COMPLETE_PLAIN_REGIONS
from recon3d.georef.control.bars import BARS
from recon3d.georef.control.stage import CONTROL
from recon3d.georef.frame import FRAME
from recon3d.photos.ingest import INGEST
from recon3d.photos.mask_command import MASK_COMMAND
from recon3d.photos.panorama_views import SPLIT_PANORAMAS
from recon3d.run.stage import Stage
from recon3d.segmentation.object_masks import FIND_OBJECT
from recon3d.sfm.other_scenes import OTHER_SCENE
from recon3d.sfm.register import REGISTER
from recon3d.surface.fuse import FUSE
from recon3d.surface.levels import LEVELS
from recon3d.surface.mesh import CLEAN, CROP, DETAIL, LIGHT
from recon3d.surface.relief import RELIEF, SETTLE
from recon3d.surface.solid.solid import SOLID
from recon3d.texture.maps import BAKE
from recon3d.texture.own_mesh import PAINT
from recon3d.texture.texture import TEXTURE, TEXTURE_LEVELS

STAGES: Mapping[str, Stage[Any]] = {
    stage.name: stage
    for stage in (
        SPLIT_PANORAMAS,
        INGEST,
        MASK_COMMAND,
        REGISTER,
        OTHER_SCENE,
        CONTROL,
        BARS,
        FIND_OBJECT,
        ESTIMATE,
        ALIGN,
        COMPLETE_PLAIN_REGIONS,
        PATCHMATCH,
        GEOMETRIC,
        CHECK_CONSISTENCY,
        SETTLE,
        FUSE,
        RELIEF,
        DETAIL,
        CLEAN,
        LIGHT,
        CROP,
        SOLID,
        LEVELS,
        PAINT,
        TEXTURE,
        BAKE,
        TEXTURE_LEVELS,
        FRAME,
    )
}
"""By name. Where two make the same field of Results, the later one replaces the earlier."""
