"""Plain words for settings: what a photographer calls them, in the order of the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recon3d.config import Preset


@dataclass(frozen=True, kw_only=True)
class Words:
    """How one setting is shown."""

    label: str
    unit: str = ""
    everyday: bool = False
    """Shown at once; the others fold out under "Expert"."""
    zero: str = ""
    """What the number below all others (0 or -1) means, where it means something else."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of a choice: what each option is called."""
    suggestions: tuple[str, ...] = ()
    """Of a text: what people usually want."""


def _everyday(label: str, unit: str = "", zero: str = "") -> Words:
    return Words(label=label, unit=unit, zero=zero, everyday=True)


def _expert(label: str, unit: str = "", zero: str = "") -> Words:
    return Words(label=label, unit=unit, zero=zero)


SECTIONS: Mapping[str, Mapping[str, Words]] = {
    "Photos": {
        "ingest.blur_limit": _everyday("Blur limit", "of usual", "keep all"),
        "ingest.video_frames": _everyday("Frames of a video"),
        "ingest.orientation": Words(
            label="Files are for photos",
            options={"auto": "automatic", "stored": "as stored", "upright": "upright"},
        ),
        "ingest.depth_unit": _expert("Depth level", "m"),
        "panorama.photos": Words(
            label="360° photos",
            options={"auto": "those that say so", "all": "all", "none": "none"},
        ),
        "panorama.nadir": _expert("Look straight down"),
        "panorama.field_of_view_deg": _expert("Width of a 360° view", "°"),
        "panorama.video_frames": _expert("Frames of a 360° film"),
    },
    "Cameras": {
        "pose.feature_px": _everyday("Size to compare at", "px"),
        "pose.features": _expert("Features per photo"),
        "pose.matching": Words(
            label="Photos to compare",
            everyday=True,
            options={
                "auto": "automatic",
                "exhaustive": "all with all",
                "sequential": "in order",
                "retrieval": "similar ones",
            },
        ),
        "pose.neighbours": _expert("Compared with each"),
        "pose.attempts": _expert("Attempts"),
        "pose.seed": _expert("Random seed"),
        "pose.keep_cameras": _everyday("Keep known cameras"),
        "masks.auto": _everyday("Find the object"),
    },
    "Depth": {
        "depth.model": Words(
            label="Method",
            everyday=True,
            suggestions=("auto", "planesweep", "multiview", "best", "resnet"),
        ),
        "depth.resolution_px": _everyday("Size of depth maps", "px"),
        "depth.source_views": _expert("Photos compared"),
        "depth.planes": _expert("Depths tried"),
        "depth.flip": _expert("Look mirrored too"),
        "depth.tiles": _expert("Pieces per side"),
        "align.least_points": _expert("Points to align by"),
        "align.columns": _expert("Bends taken out", "nodes", "none"),
        "align.neighbours": _expert("Photos to agree with", zero="none"),
        "refine.min_views": _everyday("Photos that agree"),
        "refine.max_error_px": _expert("Tolerance in photos", "px"),
        "refine.max_depth_error": _expert("Tolerance in depth", "of it"),
        "refine.plain_regions": _expert("Planes on plain walls"),
        "refine.search_passes": _expert("Slanted plane searches", zero="none"),
    },
    "Surface": {
        "fuse.surface": Words(
            label="Unseen parts",
            everyday=True,
            options={"seen": "are left out", "tsdf": "stay open", "poisson": "are closed"},
        ),
        "fuse.voxel_pixels": _everyday("Coarseness", "px"),
        "fuse.voxel_size": _expert("Voxel edge", "units", "by coarseness"),
        "fuse.truncation_voxels": _expert("Thickness", "voxels", "automatic"),
        "fuse.min_weight": _expert("Depth maps needed", zero="automatic"),
        "fuse.max_distance": _expert("Farthest", "x median"),
        "fuse.memory_gib": _expert("Memory", "GiB"),
        "relief.steepest_deg": _expert("One photo: steepest", "degrees"),
        "relief.jump": _expert("One photo: cut jumps", "of depth"),
        "relief.farthest": _expert("One photo: sky from", "x nearest"),
        "relief.reach": _expert("One photo: reach", "x nearest"),
        "relief.min_island": _expert("One photo: islands", "of photo"),
        "relief.raw_faces": _expert("One photo: triangles", zero="all"),
    },
    "Mesh": {
        "mesh.faces": _everyday("Triangles", zero="all"),
        "mesh.region": Words(
            label="Surroundings",
            everyday=True,
            options={"auto": "drop far away", "all": "keep all"},
        ),
        "mesh.crop": _everyday("Crop box", zero="none"),
        "mesh.reach": _expert("Close gaps up to", "of depth", "none"),
        "mesh.hole_size": _everyday("Close holes below", "of size", "none"),
        "solid.watertight": _expert("Closed, for printing"),
        "solid.base": Words(
            label="Flat base",
            options={"none": "none", "ground": "at the ground", "plate": "plate below"},
        ),
        "solid.wall": _expert("Thickness of walls", "of size"),
        "mesh.photometric": _expert("Move to the photos"),
        "mesh.smoothing": _everyday("Smoothing", "passes", "automatic"),
        "mesh.min_component": _expert("Drop pieces below", "of largest"),
        "mesh.unseen": Words(
            label="Faces never seen",
            options={"auto": "automatic", "drop": "drop", "keep": "keep"},
        ),
        "levels.count": _expert("Levels of detail"),
    },
    "Texture": {
        "texture.size_px": _everyday("Size", "px", "automatic"),
        "texture.pages": _expert("Pages"),
        "texture.exposure": _everyday("Even out exposure"),
        "texture.seams": _everyday("Blend seams"),
        "bake.normal": _everyday("Normal map"),
        "bake.ao": _everyday("Ambient occlusion map"),
        "bake.detail_faces": _expert("Maps: triangles", zero="all"),
        "bake.reach": _expert("Maps: occlusion reach", "of size"),
    },
    "Frame": {
        "frame.scale": _everyday("Known distances", zero="none"),
        "frame.marker_size": _everyday("Marker edge", "m", "no markers"),
        "frame.markers": Words(
            label="Marker family",
            suggestions=("auto", "aruco_4x4_50", "aruco_6x6_250", "apriltag_36h11"),
        ),
        "frame.up": Words(
            label="Up",
            everyday=True,
            suggestions=("auto", "none", "+x", "-x", "+y", "-y", "+z", "-z"),
        ),
        "frame.origin": Words(label="Origin", suggestions=("auto", "poses")),
        "frame.front": Words(
            label="Front",
            options={"cameras": "as photos look", "north": "north (GPS)"},
        ),
        "control.check": _expert("Check points"),
        "control.accuracy": _expert("Control points' error", "m"),
        "control.adjust": _expert("Points move cameras"),
        "control.mark_px": _expert("Marks' error", "px"),
    },
    "Export": {
        "export.texture_format": Words(
            label="Texture files",
            everyday=True,
            options={"jpeg": "JPEG (small)", "png": "PNG (exact)", "webp": "WebP (smallest)"},
        ),
        "export.texture_quality": _everyday("Quality"),
        "export.unlit": _everyday("Without lighting"),
        "export.page_photos": _everyday("Photos in web pages"),
        "export.quality": _everyday("Exactness of places"),
        "export.crs": _expert("Coordinate system"),
    },
}

PRESETS: Mapping[Preset, str] = {
    "draft": "A quick look: coarser depth maps, 100,000 triangles.",
    "balanced": "For every day: good detail, 300,000 triangles.",
    "fine": "When time does not matter: all detail, a million triangles.",
}
