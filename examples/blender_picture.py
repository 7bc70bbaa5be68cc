"""Render a scene that import_into_blender.py has opened, its cameras drawn as wires.

blender --background --python import_into_blender.py -- scene.blend
blender --background --python examples/blender_picture.py -- scene.blend picture.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
from mathutils import Vector

WIDTH_PX, HEIGHT_PX, SAMPLES = 960, 560, 32


def main() -> None:
    """Open, draw the wires, light, render."""
    blend, picture = sys.argv[sys.argv.index("--") + 1 :]
    bpy.ops.wm.open_mainfile(filepath=str(Path(blend).resolve()))
    scene = bpy.context.scene
    model = next(thing for thing in bpy.data.collections["Mesh"].objects)
    corners = [model.matrix_world @ Vector(corner) for corner in model.bound_box]
    middle = sum(corners, Vector()) / 8
    size = max((corner - middle).length for corner in corners)
    cameras = list(bpy.data.collections["Cameras"].objects)
    paint = wire_material()
    for camera in cameras:
        draw_wires(camera, size * 0.16, size * 0.003, paint)
    look_at(scene, middle, cameras)
    light(scene)
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", SAMPLES
    scene.render.resolution_x, scene.render.resolution_y = WIDTH_PX, HEIGHT_PX
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1
    scene.render.filepath = str(Path(picture).resolve())
    bpy.ops.render.render(write_still=True)


def wire_material() -> Any:
    """Orange that shines, as Blender draws what is selected."""
    material = bpy.data.materials.new("wire")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value = (1.0, 0.25, 0.02, 1)
    material.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
    return material


def draw_wires(camera: Any, depth: float, thickness: float, paint: Any) -> None:
    """The four edges and the frame of what a camera sees."""
    corners = camera.data.view_frame(scene=bpy.context.scene)
    frame = [depth * corner / -corner.z for corner in corners]
    curve = bpy.data.curves.new("wires", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", thickness
    curve.materials.append(paint)
    apex = Vector()
    for start, end in [(apex, corner) for corner in frame] + list(
        zip(frame, frame[1:] + frame[:1], strict=True)
    ):
        line = curve.splines.new("POLY")
        line.points.add(1)
        for point, place in zip(line.points, (start, end), strict=True):
            point.co = (*place, 1)
    wires = bpy.data.objects.new("wires", curve)
    wires.matrix_world = camera.matrix_world
    bpy.context.scene.collection.objects.link(wires)


def look_at(scene: Any, middle: Any, cameras: list[Any]) -> None:
    """From behind and above the cameras, all of them in the picture."""
    places = [camera.matrix_world.translation for camera in cameras]
    centre = sum(places, Vector()) / len(places)
    reach = max((place - middle).length for place in places)
    out = centre - middle
    out.z = 0
    out = out.normalized() if out.length > 0.1 * reach else Vector((0.5, -0.85, 0))
    data = bpy.data.cameras.new("picture")
    data.lens, data.clip_end = 40, 100 * reach
    eye = bpy.data.objects.new("picture", data)
    eye.location = middle + (out + Vector((0, 0, 0.75))).normalized() * reach * 2.5
    eye.rotation_euler = (middle - eye.location).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(eye)
    scene.timeline_markers.clear()
    scene.camera = eye


def light(scene: Any) -> None:
    """A bright overcast sky: photos bring their own shadows."""
    world = scene.world or bpy.data.worlds.new("World")
    scene.world = world
    world.use_nodes = True
    sky = world.node_tree.nodes["Background"]
    sky.inputs["Color"].default_value = (0.9, 0.95, 1.0, 1)
    sky.inputs["Strength"].default_value = 1.0
    for lamp in [thing for thing in scene.objects if thing.type == "LIGHT"]:
        bpy.data.objects.remove(lamp)


if __name__ == "__main__":
    main()
