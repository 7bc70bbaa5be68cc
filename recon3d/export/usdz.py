"""USDZ, the package of phones and tablets; needs usd-core."""

from __future__ import annotations

import struct
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recon3d.core.errors import OutputError
from recon3d.core.surface import Mesh, TexturedMesh, normals_of
from recon3d.export.charts import distinct_uv
from recon3d.export.textures import SUFFIXES, ExportConfig, encode_page, linear_from_srgb

_PADDING = 0x1986  # the zip field that USD's own packer fills up with


def check_usd() -> None:
    """Look whether USDZ can be written at all.

    Raises:
        OutputError: usd-core is not installed.
    """
    try:
        import pxr  # noqa: F401
    except ImportError as error:
        raise OutputError(
            "USDZ files need the package usd-core, which is not installed.",
            hint='Run: pip install ".[usdz]", or write .glb instead.',
        ) from error


def write_usdz(target: Path, model: Mesh | TexturedMesh, config: ExportConfig) -> None:
    """Write a double-sided, rough mesh in metres; vertices must already be y-up.

    Raises:
        OutputError: usd-core is not installed.
        OutputError: a page does not fit into the picture format.
    """
    check_usd()
    from pxr import Usd, UsdGeom

    # Layers and pictures refer to each other by name, so all lie in one folder before packing.
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        layer = folder / "model.usdc"
        stage: Any = Usd.Stage.CreateNew(str(layer))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        root = UsdGeom.Xform.Define(stage, "/recon3d")
        stage.SetDefaultPrim(root.GetPrim())
        if isinstance(model, TexturedMesh):
            surface = _define_mesh(stage, model.mesh)
            _put_textures(stage, surface, model, config, folder)
        else:
            surface = _define_mesh(stage, model)
            _put_colours(stage, surface, model)
        stage.Save()
        # The layer comes first: readers open whatever does.
        _pack(target, [layer, *sorted(folder.glob("texture_*"))])


def _pack(target: Path, files: Sequence[Path]) -> None:
    """A zip without compression or dates, every file on a multiple of 64 bytes.

    usd-core packs too, but stamps the time, so that the same model never gives the same file.
    """
    with target.open("wb") as stream, zipfile.ZipFile(stream, "w") as package:
        for file in files:
            entry = zipfile.ZipInfo(file.name)
            # Header, name, and the head of the field that fills up the rest.
            start = stream.tell() + 30 + len(file.name) + 4
            entry.extra = struct.pack("<HH", _PADDING, -start % 64) + bytes(-start % 64)
            package.writestr(entry, file.read_bytes())


def _define_mesh(stage: Any, mesh: Mesh) -> Any:
    from pxr import UsdGeom, Vt

    surface = UsdGeom.Mesh.Define(stage, "/recon3d/mesh")
    normals = normals_of(mesh)
    vectors = Vt.Vec3fArray.FromNumpy
    surface.CreatePointsAttr(vectors(np.ascontiguousarray(mesh.vertices)))
    counts = np.full(len(mesh.faces), 3, np.int32)
    surface.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(counts))
    surface.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.ravel()))
    surface.CreateNormalsAttr(vectors(np.ascontiguousarray(normals)))
    surface.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    surface.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    surface.CreateDoubleSidedAttr(True)
    extent = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)])
    surface.CreateExtentAttr(vectors(extent))
    return surface


def _put_colours(stage: Any, surface: Any, mesh: Mesh) -> None:
    from pxr import Sdf, UsdGeom, UsdShade, Vt

    material, diffuse = _define_material(stage, "colours")
    if mesh.rgb is not None:
        colours = surface.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex)
        colours.Set(Vt.Vec3fArray.FromNumpy(linear_from_srgb(mesh.rgb)))
        value_type = Sdf.ValueTypeNames.Float3
        diffuse.ConnectToSource(_primvar_output(stage, material, "displayColor", value_type))
    UsdShade.MaterialBindingAPI.Apply(surface.GetPrim()).Bind(material)


def _put_textures(
    stage: Any, surface: Any, model: TexturedMesh, config: ExportConfig, folder: Path
) -> None:
    from pxr import Sdf, UsdGeom, UsdShade, Vt

    uv, uv_index = distinct_uv(model.uv)
    coordinates = UsdGeom.PrimvarsAPI(surface).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying
    )
    coordinates.Set(Vt.Vec2fArray.FromNumpy(uv))
    coordinates.SetIndices(Vt.IntArray.FromNumpy(uv_index.ravel().astype(np.int32)))
    # USDZ allows no WebP.
    form = "jpeg" if config.texture_format == "webp" else config.texture_format
    binding = UsdShade.MaterialBindingAPI.Apply(surface.GetPrim())
    for page in np.unique(model.page_of_face).tolist():
        picture = folder / f"texture_{page}{SUFFIXES[form]}"
        picture.write_bytes(encode_page(model.pages[page], form, config.texture_quality))
        faces = np.flatnonzero(model.page_of_face == page).astype(np.int32)
        subset = binding.CreateMaterialBindSubset(f"page_{page}", Vt.IntArray.FromNumpy(faces))
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(
            _define_texture(stage, picture.name)
        )


def _define_texture(stage: Any, picture: str) -> Any:
    from pxr import Sdf, UsdShade

    material, diffuse = _define_material(stage, Path(picture).stem)
    sampler = UsdShade.Shader.Define(stage, f"{material.GetPath()}/picture")
    sampler.CreateIdAttr("UsdUVTexture")
    sampler.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(f"./{picture}")
    sampler.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    for wrap in ("wrapS", "wrapT"):
        sampler.CreateInput(wrap, Sdf.ValueTypeNames.Token).Set("clamp")
    sampler.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(
        _primvar_output(stage, material, "st", Sdf.ValueTypeNames.Float2)
    )
    diffuse.ConnectToSource(sampler.CreateOutput("rgb", Sdf.ValueTypeNames.Float3))
    return material


def _define_material(stage: Any, name: str) -> tuple[Any, Any]:
    """A rough material and its diffuse colour, to be connected."""
    from pxr import Sdf, UsdShade

    material = UsdShade.Material.Define(stage, f"/recon3d/{name}")
    shader = UsdShade.Shader.Define(stage, f"{material.GetPath()}/surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(1.0)
    shader.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    output = shader.CreateOutput("surface", Sdf.ValueTypeNames.Token)
    material.CreateSurfaceOutput().ConnectToSource(output)
    return material, shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)


def _primvar_output(stage: Any, material: Any, primvar: str, value_type: Any) -> Any:
    from pxr import Sdf, UsdShade

    reader = UsdShade.Shader.Define(stage, f"{material.GetPath()}/{primvar}")
    reader.CreateIdAttr(f"UsdPrimvarReader_{value_type}")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set(primvar)
    return reader.CreateOutput("result", value_type)
