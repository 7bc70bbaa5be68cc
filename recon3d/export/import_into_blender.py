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

STARTUP_OBJECTS = {"Camera", "Cube", "Light"}

# Blender's cameras look along -z with y up, those of the file along +z with y down.
FILE_FROM_BLENDER = Matrix.Diagonal((1, -1, -1, 1))


def main() -> None:
    """Build the scene in collections of its own; what is there already stays."""
    folder = find_folder()
    content = json.loads((folder / "cameras.json").read_text(encoding="utf-8"))
    remove_startup_objects()
    set_scene(content)
    parent = make_collection(folder.name, bpy.context.scene.collection)
    if content["model"]:
        import_model(folder / content["model"], make_collection("Mesh", parent))
    if content["points"]:
        import_points(folder / content["points"], make_collection("Sparse points", parent))
    make_cameras(folder, content["cameras"], make_collection("Cameras", parent))
    show_everything()
    if "--" in sys.argv and bpy.app.background:
        target = Path(sys.argv[sys.argv.index("--") + 1]).resolve()
        # Saving makes the photos' paths relative, so that the folder can be moved.
        bpy.ops.wm.save_as_mainfile(filepath=str(target))


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


def make_collection(name: str, parent: Any) -> Any:
    """An empty collection below another one."""
    collection = bpy.data.collections.new(name)
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
    """Import, and put the new objects into the collection and nowhere else."""
    before = set(bpy.data.objects)
    run_import()
    for made in set(bpy.data.objects) - before:
        for other in made.users_collection:
            other.objects.unlink(made)
        collection.objects.link(made)


def make_cameras(folder: Path, cameras: list[dict[str, Any]], collection: Any) -> None:
    """One for each photo, which lies half transparent over its view; frame n shows camera n."""
    scene = bpy.context.scene
    centres = [world_from_camera(camera).translation for camera in cameras]
    extent = max(scene_extent(centres), 1e-6)
    for number, camera in enumerate(cameras, start=1):
        data = bpy.data.cameras.new(camera["name"])
        set_lens(data, camera)
        data.clip_start, data.clip_end = extent * 1e-4, extent * 100
        data.display_size = extent * 0.03
        set_background(data, folder / camera["picture"])
        made = bpy.data.objects.new(camera["name"], data)
        made.matrix_world = world_from_camera(camera)
        collection.objects.link(made)
        marker = scene.timeline_markers.new(camera["name"], frame=number)
        marker.camera = made
        if number == 1:
            scene.camera = made
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
    background = data.background_images.new()
    background.image = bpy.data.images.load(str(picture), check_existing=True)
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
