"""Open a folder that recon3d wrote as one Blender scene: mesh, cameras with photos, points.

    blender --python import_into_blender.py
    blender --background --python import_into_blender.py -- scene.blend    only saves scene.blend

or open this file in Blender's text editor and press Run Script. Blender 4.2 or newer.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix, Vector

# Only where this text was pasted into Blender: the folder that it came from.
FOLDER = ""

# Custom property by which what was made here is known again.
OURS = "recon3d"

STARTUP_OBJECTS = {"Camera", "Cube", "Light"}

# Blender's cameras look along -z with y up, those of the file along +z with y down.
FILE_FROM_BLENDER = Matrix.Diagonal((1, -1, -1, 1))


def main() -> None:
    """Build the scene, and save it if that is asked."""
    build(find_folder())
    if "--" in sys.argv and bpy.app.background:
        target = Path(sys.argv[sys.argv.index("--") + 1]).resolve()
        # Saving makes the photos' paths relative, so that the folder can be moved.
        bpy.ops.wm.save_as_mainfile(filepath=str(target))


def build(folder: Path) -> None:
    """Build the scene in collections of its own, or bring it up to date.

    What is there already stays. What the same folder brought before gets the new mesh, points and
    cameras, and keeps its place, modifiers and names.
    """
    content = json.loads((folder / "cameras.json").read_text(encoding="utf-8"))
    remove_startup_objects()
    scene, key = bpy.context.scene, str(folder.resolve())
    is_new = not any(child.get(OURS) == key for child in scene.collection.children)
    if is_new:
        set_scene(content)
    parent = find_collection(folder.name, scene.collection, key)
    if content["model"]:
        import_model(folder / content["model"], find_collection("Mesh", parent))
    if content["points"]:
        import_points(folder / content["points"], find_collection("Sparse points", parent))
    make_cameras(folder, content["cameras"], find_collection("Cameras", parent))
    if is_new:
        show_everything()


def find_folder() -> Path:
    """Beside this script, however Blender was given it."""
    places = [Path(FOLDER)] if FOLDER else []
    places.append(Path(__file__).resolve().parent)
    for text in bpy.data.texts:
        if text.filepath:
            places.append(Path(bpy.path.abspath(text.filepath)).parent)
    for place in places:
        if (place / "cameras.json").is_file():
            return place
    raise FileNotFoundError("cameras.json is not beside this script; name its folder in FOLDER.")


def remove_startup_objects() -> None:
    """Blender starts with a cube and a camera, which would stand in the middle of the model."""
    if not bpy.data.filepath and {thing.name for thing in bpy.data.objects} == STARTUP_OBJECTS:
        for name in ("Cube", "Camera"):
            bpy.data.objects.remove(bpy.data.objects[name])


def set_scene(content: dict[str, Any]) -> None:
    """Metres where the model's size is known, and pictures of the size of the first photo."""
    scene = bpy.context.scene
    is_metric = content["unit"] == "metre"
    scene.unit_settings.system = "METRIC" if is_metric else "NONE"
    scene.unit_settings.scale_length = 1.0
    if is_metric:
        scene.unit_settings.length_unit = "METERS"
    # Photos are shown as they are; AgX would wash them out.
    scene.view_settings.view_transform = "Standard"
    first = content["cameras"][0]
    scene.render.resolution_x = first["width_px"]
    scene.render.resolution_y = first["height_px"]
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = max(1.0, 1 / pixel_height(first))
    scene.render.pixel_aspect_y = max(1.0, pixel_height(first))
    scene.frame_start, scene.frame_end = 1, len(content["cameras"])


def find_collection(name: str, parent: Any, key: str = "") -> Any:
    """The collection below another one that was made for the same, or a new one."""
    for child in parent.children:
        if child.get(OURS) == (key or name):
            return child
    collection = bpy.data.collections.new(name)
    collection[OURS] = key or name
    parent.children.link(collection)
    return collection


def import_model(path: Path, collection: Any) -> None:
    """The mesh, its parts joined again where glTF had to cut them along texture borders."""
    move_imported(
        lambda: bpy.ops.import_scene.gltf(filepath=str(path), merge_vertices=True), collection
    )


def import_points(path: Path, collection: Any) -> None:
    """The points that placed the photos; they are for looking, not for rendering."""
    move_imported(
        lambda: bpy.ops.wm.ply_import(filepath=str(path), forward_axis="Y", up_axis="Z"),
        collection,
    )
    collection.hide_render = True


def move_imported(run_import: Callable[[], object], collection: Any) -> None:
    """Import, and put the new objects into the collection and nowhere else.

    Those that an earlier import put there get the new ones' data instead.
    """
    before = set(bpy.data.objects)
    former = sorted((thing for thing in collection.objects if OURS in thing), key=by_number)
    run_import()
    made = sorted(set(bpy.data.objects) - before, key=lambda thing: thing.name)
    for number, thing in enumerate(made):
        if number < len(former):
            old_data, former[number].data = former[number].data, thing.data
            bpy.data.objects.remove(thing)
            if old_data.users == 0:
                bpy.data.meshes.remove(old_data)
            continue
        thing[OURS] = number
        for other in thing.users_collection:
            other.objects.unlink(thing)
        collection.objects.link(thing)
    for thing in former[len(made) :]:
        bpy.data.objects.remove(thing)


def by_number(thing: Any) -> int:
    """The order in which objects were imported."""
    return int(thing[OURS])


def make_cameras(folder: Path, cameras: list[dict[str, Any]], collection: Any) -> None:
    """One for each photo, which lies half transparent over its view; frame n shows camera n."""
    scene = bpy.context.scene
    centres = [world_from_camera(camera).translation for camera in cameras]
    extent = max(scene_extent(centres), 1e-6)
    former = {thing[OURS]: thing for thing in collection.objects if OURS in thing}
    for marker in list(scene.timeline_markers):
        if marker.camera in former.values():
            scene.timeline_markers.remove(marker)
    for number, camera in enumerate(cameras, start=1):
        made = former.pop(camera["name"], None)
        if made is None:
            data = bpy.data.cameras.new(camera["name"])
            made = bpy.data.objects.new(camera["name"], data)
            made[OURS] = camera["name"]
            collection.objects.link(made)
        data = made.data
        set_lens(data, camera)
        data.clip_start, data.clip_end = extent * 1e-4, extent * 100
        data.display_size = extent * 0.03
        set_background(data, folder / camera["picture"])
        made.matrix_world = world_from_camera(camera)
        marker = scene.timeline_markers.new(camera["name"], frame=number)
        marker.camera = made
        if number == 1:
            scene.camera = made
    for gone in former.values():
        bpy.data.objects.remove(gone)
    scene.frame_set(1)


def world_from_camera(camera: dict[str, Any]) -> Any:
    """Blender's matrix of a camera."""
    return Matrix(camera["cam_from_world"]).inverted() @ FILE_FROM_BLENDER


def scene_extent(centres: list[Any]) -> float:
    """Diagonal of the box around all objects and cameras."""
    bpy.context.view_layer.update()
    points = list(centres)
    for thing in bpy.data.objects:
        points += [thing.matrix_world @ Vector(corner) for corner in thing.bound_box]
    low, high = (Vector(map(end, zip(*points, strict=True))) for end in (min, max))
    return (high - low).length


def set_lens(data: Any, camera: dict[str, Any]) -> None:
    """Focal lengths become a lens on a 36 mm sensor, the principal point becomes a shift."""
    width, height = camera["width_px"], camera["height_px"]
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = 36.0
    data.lens = 36.0 * camera["fx_px"] / width
    # Blender measures both shifts in widths of the picture.
    data.shift_x = (width / 2 - camera["cx_px"]) / width
    data.shift_y = (camera["cy_px"] - height / 2) * pixel_height(camera) / width


def pixel_height(camera: dict[str, Any]) -> float:
    """Of one pixel, in its widths; 1 for nearly every camera."""
    return camera["fx_px"] / camera["fy_px"]


def set_background(data: Any, picture: Path) -> None:
    """The photo, half transparent."""
    data.show_background_images = True
    data.background_images.clear()
    background = data.background_images.new()
    background.image = bpy.data.images.load(str(picture), check_existing=True)
    background.image.reload()
    background.alpha = 0.5
    background.display_depth = "FRONT"
    background.frame_method = "FIT"


def show_everything() -> None:
    """In colours, and as a whole."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type != "VIEW_3D":
                continue
            area.spaces.active.shading.type = "MATERIAL"
            region = next(region for region in area.regions if region.type == "WINDOW")
            with bpy.context.temp_override(window=window, area=area, region=region):
                bpy.ops.view3d.view_all()


if __name__ == "__main__":
    main()
