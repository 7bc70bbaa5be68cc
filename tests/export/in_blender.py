"""Runs inside Blender for test_blender.py: `python in_blender.py JOB ARGUMENT...`.

Each job prints what it found as JSON on the last line.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import bpy
import numpy as np


def look(path: str) -> dict[str, object]:
    """Import a mesh file into an empty scene and describe it, in Blender's axes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    importers = {
        ".glb": lambda: bpy.ops.import_scene.gltf(filepath=path),
        ".obj": lambda: bpy.ops.wm.obj_import(filepath=path),
        ".ply": lambda: bpy.ops.wm.ply_import(filepath=path),
        ".stl": lambda: bpy.ops.wm.stl_import(filepath=path),
        ".usdz": lambda: bpy.ops.wm.usd_import(filepath=path),
    }
    importers[Path(path).suffix]()
    bpy.context.view_layer.update()
    (thing,) = (thing for thing in bpy.data.objects if thing.type == "MESH")
    mesh = thing.data
    world = np.array([thing.matrix_world @ vertex.co for vertex in mesh.vertices])
    return {
        "vertices": len(mesh.vertices),
        "faces": len(mesh.polygons),
        "low": world.min(0).tolist(),
        "high": world.max(0).tolist(),
        "materials": len(mesh.materials),
        "colours": sorted({tuple(_srgb(c)) for c in _vertex_colours(mesh)}),
        "texels": _texels(thing) if mesh.uv_layers else [],
        "unlit": any(
            node.bl_idname == "ShaderNodeEmission"
            for material in mesh.materials
            if material and material.node_tree
            for node in material.node_tree.nodes
        ),
    }


def open_folder(folder: str, questions: str, target: str) -> dict[str, object]:
    """Run the script that opens a folder, save it, and see where each camera sees the points."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    bpy.ops.wm.read_factory_settings()
    script = Path(folder) / "import_into_blender.py"
    sys.argv = [str(script), "--", target]
    runpy.run_path(str(script), run_name="__main__")
    scene = bpy.context.scene
    seen = {}
    for name, question in json.loads(Path(questions).read_text("utf-8")).items():
        width, height = question["size_px"]
        scene.render.resolution_x, scene.render.resolution_y = width, height
        camera = scene.objects[name]
        seen[name] = [
            [float(at.x) * width, (1 - float(at.y)) * height]
            for at in (
                world_to_camera_view(scene, camera, Vector(point)) for point in question["points"]
            )
        ]
    bpy.ops.wm.open_mainfile(filepath=target)
    return {
        "seen_px": seen,
        "collections": {c.name: [thing.name for thing in c.objects] for c in bpy.data.collections},
        "hidden": [c.name for c in bpy.data.collections if c.hide_render],
        "photos": sorted(i.filepath for i in bpy.data.images if i.filepath),
        "missing": [
            i.filepath
            for i in bpy.data.images
            if i.filepath and not Path(bpy.path.abspath(i.filepath)).exists()
        ],
        "units": bpy.context.scene.unit_settings.system,
        "objects": sorted(thing.name for thing in bpy.data.objects),
        "camera": bpy.context.scene.camera.name,
        "size_px": [bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y],
        "markers": len(bpy.context.scene.timeline_markers),
    }


def addon(archive: str, photos: str, program: str) -> dict[str, object]:
    """Install the add-on, build twice with what is done to the model between, and stop a run."""
    import time

    bpy.ops.wm.read_factory_settings()
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    names = bpy.context.preferences.addons.keys()
    (name,) = (each for each in names if "recon3d" in each)
    side = sys.modules[name]
    bpy.context.preferences.addons[name].preferences.program = program
    scene = bpy.context.scene
    scene.recon3d.photos = photos

    def build() -> dict[str, object]:
        bpy.ops.recon3d.build()
        while side.is_running():
            side.look()
            time.sleep(0.05)
        return {
            "state": side._run.state,
            "line": side._run.line,
            "warnings": side._run.warnings,
            "collections": {c.name: [o.name for o in c.objects] for c in bpy.data.collections},
            "faces": [len(o.data.polygons) for o in bpy.data.objects if o.type == "MESH"],
            "markers": len(scene.timeline_markers),
        }

    first = build()
    model = bpy.data.collections["Mesh"].objects[0]
    model.name, model.location.x = "church", 3.0
    model.modifiers.new("soft", "SUBSURF")
    scene.render.resolution_x = 99
    second = build()
    model = bpy.data.collections["Mesh"].objects[0]
    kept = [model.name, model.location.x, len(model.modifiers), scene.render.resolution_x]
    can_build = bpy.ops.recon3d.build.poll()
    scene.recon3d.preset = "fine"
    bpy.ops.recon3d.build()
    busy = [bpy.ops.recon3d.build.poll(), bpy.ops.recon3d.stop.poll()]
    bpy.ops.recon3d.stop()
    while side.is_running():
        side.look()
        time.sleep(0.05)
    stopped = side._run.state
    bpy.context.preferences.addons[name].preferences.program = "/no/such/program"
    try:
        refused = str(bpy.ops.recon3d.build())
    except RuntimeError as error:
        refused = str(error)
    return {
        "first": first,
        "second": second,
        "kept": kept,
        "can_build": can_build,
        "busy": busy,
        "stopped": stopped,
        "refused": refused,
    }


def render(blend: str, camera: str, picture: str) -> dict[str, object]:
    """Render what one camera sees, in the model's own colours: no lights, no shading."""
    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    scene.camera = scene.objects[camera]
    scene.timeline_markers.clear()
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = 16
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 0
    scene.render.film_transparent = True
    scene.render.filepath = picture
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    bpy.ops.render.render(write_still=True)
    return {"written": Path(picture).exists()}


def shade(model: str, folder: str, framing: str) -> dict[str, object]:
    """Render a model from six sides in grazing sunlight, with its normal map and without."""
    from mathutils import Vector

    middle, away = json.loads(framing)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=model)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples, scene.cycles.max_bounces = 8, 0
    scene.cycles.use_denoising = False
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = 256
    scene.render.image_settings.color_mode = "RGBA"
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy = 3
    sun.data.use_shadow = False
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", away
    for thing in (sun, camera):
        scene.collection.objects.link(thing)
    scene.camera = camera
    links = [
        (material.node_tree, link)
        for material in bpy.data.materials
        if material.node_tree
        for link in material.node_tree.links
        if link.from_node.bl_idname == "ShaderNodeNormalMap"
    ]
    mapped = len(links)
    for name in ("with", "without"):
        for side in range(6):
            turn = side * np.pi / 3
            way = Vector((np.cos(turn), np.sin(turn), 0.8)).normalized()
            camera.location = Vector(middle) + 2 * away * way
            camera.rotation_euler = way.to_track_quat("Z", "Y").to_euler()
            light = Vector((np.cos(turn + 1.2), np.sin(turn + 1.2), 0.4))
            sun.rotation_euler = light.to_track_quat("Z", "Y").to_euler()
            scene.render.filepath = str(Path(folder) / f"{name}_{side}.png")
            bpy.ops.render.render(write_still=True)
        for tree, link in links:
            tree.links.remove(link)
        links = []
    return {"normal_maps": mapped}


def _vertex_colours(mesh: object) -> list[tuple[float, float, float]]:
    if not mesh.color_attributes:
        return []
    return [tuple(datum.color[:3]) for datum in mesh.color_attributes[0].data]


def _texels(thing: object) -> list[dict[str, object]]:
    """The colour of each face at three points, found by where they lie in space."""
    pictures = {}
    mesh, uv = thing.data, thing.data.uv_layers[0].data
    found = []
    for polygon in mesh.polygons:
        picture = _picture(mesh.materials[polygon.material_index])
        if picture.name not in pictures:
            pixels = np.array(picture.pixels[:], np.float32).reshape(
                picture.size[1], picture.size[0], 4
            )
            pictures[picture.name] = pixels
        pixels = pictures[picture.name]
        corners = np.array(
            [thing.matrix_world @ mesh.vertices[v].co for v in polygon.vertices], np.float64
        )
        corners_uv = np.array([uv[loop].uv for loop in polygon.loop_indices])
        for corner in range(3):
            weights = np.full(3, 0.1)
            weights[corner] = 0.8
            u, v = weights @ corners_uv
            height, width = pixels.shape[:2]
            colour = pixels[int(v * height), int(u * width), :3]
            found.append(
                {"at": (weights @ corners).tolist(), "rgb": (colour * 255).round().tolist()}
            )
    return found


def _picture(material: object) -> object:
    nodes = material.node_tree.nodes
    return next(node.image for node in nodes if node.bl_idname == "ShaderNodeTexImage")


def _srgb(linear: tuple[float, float, float]) -> list[int]:
    values = np.clip(np.array(linear), 0, 1)
    encoded = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
    return [int(value) for value in np.rint(encoded * 255)]


if __name__ == "__main__":
    jobs = {
        "look": look,
        "open_folder": open_folder,
        "addon": addon,
        "render": render,
        "shade": shade,
    }
    answer = jobs[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
