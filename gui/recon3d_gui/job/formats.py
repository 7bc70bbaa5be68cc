"""The kinds of files and folders that a model can be saved as."""

from __future__ import annotations

from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from recon3d.export.export import Outputs
from recon3d.export.meshes import TEXTURE_SUFFIXES


class Format(Enum):
    """Value: its name, what it is good for, and its suffix, empty for a folder."""

    GLB = "GLB", "One file with texture for Blender, Unity, Unreal, the web", ".glb"
    PLY = "PLY", "Colours at the vertices, for MeshLab, CloudCompare and science", ".ply"
    OBJ = "OBJ", "Text with texture, read by nearly every 3D program", ".obj"
    STL = "STL", "Shape only, for 3D printing", ".stl"
    THREE_MF = "3MF", "Shape, size and colours, for 3D printing", ".3mf"
    USDZ = "USDZ", "For iPhone, iPad and Apple Vision", ".usdz"
    PAGE = "Web page", "One file to send by mail: any browser opens it, offline", ".html"
    BLENDER = "Blender folder", "Model, cameras, photos and a script that opens them", ""
    COLMAP = "COLMAP folder", "Cameras, points and pictures for other reconstruction programs", ""
    NERFSTUDIO = "nerfstudio folder", "Cameras and pictures for radiance fields and splats", ""

    @property
    def title(self) -> str:
        """Its name."""
        return self.value[0]

    @property
    def purpose(self) -> str:
        """What it is good for."""
        return self.value[1]

    @property
    def suffix(self) -> str:
        """Of its file; empty for a folder."""
        return self.value[2]

    @property
    def takes_texture(self) -> bool:
        """Whether it holds a texture where there is one."""
        return self in (Format.BLENDER, Format.PAGE) or self.suffix in TEXTURE_SUFFIXES

    @property
    def needs_mesh(self) -> bool:
        """Whether there is nothing to save without a surface."""
        return bool(self.suffix) or self is Format.BLENDER

    @property
    def takes_levels(self) -> bool:
        """Whether coarser levels of detail are written beside it."""
        return bool(self.suffix) and self is not Format.PAGE

    def outputs(self, target: Path) -> Outputs:
        """What to ask for to get it at a place; a file's suffix is put right."""
        match self:
            case Format.BLENDER:
                return Outputs(blender=target)
            case Format.COLMAP:
                return Outputs(colmap=target)
            case Format.NERFSTUDIO:
                return Outputs(transforms=target / "transforms.json")
        if target.suffix.lower() != self.suffix:
            target = target.with_name(target.name + self.suffix)
        return Outputs(page=target) if self is Format.PAGE else Outputs(meshes=(target,))

    def suggested_name(self, project: str) -> str:
        """A name for a project's file or folder; never that of its folder of photos."""
        return f"{project}{self.suffix}" if self.suffix else f"{project}_{self.name.lower()}"


def available_formats() -> list[Format]:
    """All but those whose library is not installed."""
    return [form for form in Format if form is not Format.USDZ or find_spec("pxr")]
