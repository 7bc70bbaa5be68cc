"""Blender's side of recon3d: photos become a model without leaving Blender.

Sidebar of the 3D view (N), tab recon3d. A run works in a process of its own, so Blender stays free;
what it has made comes in when it ends, and a later run of the same photos brings it up to date.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import bpy

from .background_run import BackgroundRun
from .import_into_blender import build  # type: ignore[import-not-found] # of the zip

bl_info = {
    "name": "recon3d",
    "author": "recon3d",
    "version": (1, 0, 0),
    "blender": (4, 2, 0),
    "location": "3D View > Sidebar > recon3d",
    "description": "Photos to a textured mesh",
    "category": "Import-Export",
}

_SECONDS_BETWEEN_LOOKS = 0.25
_WIDTH_OF_LINE = 44
"""Letters that fit into the sidebar as wide as it opens."""
_run: BackgroundRun | None = None
_folder = Path()
"""What the run at work writes for Blender."""


def command_of(program: str) -> list[str]:
    """How to start recon3d: a program, or, where none is named, that which wrote this add-on."""
    if program:
        return [str(chosen(program))]
    command = Path(__file__).with_name("command.json").read_text(encoding="utf-8")
    return [str(part) for part in json.loads(command)]


class Recon3dPreferences(bpy.types.AddonPreferences):  # type: ignore[misc]
    """Where the program is."""

    bl_idname = __package__

    program: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Program",
        description="The recon3d to start; empty: the one that wrote this add-on",
        subtype="FILE_PATH",
    )

    def draw(self, context: Any) -> None:
        """One line."""
        self.layout.prop(self, "program")


class Recon3dSettings(bpy.types.PropertyGroup):  # type: ignore[misc]
    """What to build; saved with the scene."""

    photos: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Photos", description="Folder of photos, or a video", subtype="FILE_PATH"
    )
    intrinsics: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Camera",
        description="Calibration of the camera, if you have one; else it is found from the photos",
        subtype="FILE_PATH",
    )
    masks: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Masks",
        description="Folder of masks, white = keep, if you have some",
        subtype="DIR_PATH",
    )
    preset: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Quality",
        items=[
            ("draft", "Draft", "For a look in a minute"),
            ("balanced", "Balanced", "For every day"),
            ("fine", "Fine", "When time does not matter"),
        ],
        default="balanced",
    )
    faces: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Triangles", description="At most; 0 keeps all", default=300_000, min=0
    )


class Recon3dBuild(bpy.types.Operator):  # type: ignore[misc]
    """Build the model, or go on from where an earlier run of the same photos was."""

    bl_idname = "recon3d.build"
    bl_label = "Build"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one run at a time, and with photos."""
        return not is_running() and bool(context.scene.recon3d.photos)

    def execute(self, context: Any) -> set[str]:
        """Start it."""
        settings = context.scene.recon3d
        photos = chosen(settings.photos)
        command = [str(photos), "--preset", settings.preset, "--mesh.faces", str(settings.faces)]
        for name in ("intrinsics", "masks"):
            if value := getattr(settings, name):
                command += [f"--{name}", str(chosen(value))]
        folder = photos.with_name(f"{photos.stem}_blender")
        command += ["--workspace", str(photos.with_name(f"{photos.stem}.recon3d"))]
        command += ["-o", str(photos.with_name(f"{photos.stem}.glb")), "--blender", str(folder)]
        return start(self, context, ["mesh", *command], folder)


class Recon3dOpen(bpy.types.Operator):  # type: ignore[misc]
    """Bring in a finished run: the folder ending in .recon3d."""

    bl_idname = "recon3d.open"
    bl_label = "Open a finished run"

    directory: bpy.props.StringProperty(subtype="DIR_PATH")  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one run at a time."""
        return not is_running()

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Let recon3d write it for Blender."""
        workspace = chosen(self.directory)
        folder = workspace.with_name(f"{workspace.stem}_blender")
        command = ["export", str(workspace), "--to", "blender", "-o", str(folder)]
        return start(self, context, command, folder)


class Recon3dStop(bpy.types.Operator):  # type: ignore[misc]
    """Stop the run; what is finished is kept."""

    bl_idname = "recon3d.stop"
    bl_label = "Stop"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only while one is at work."""
        return is_running()

    def execute(self, context: Any) -> set[str]:
        """Ask it to end."""
        if _run:
            _run.stop()
        return {"FINISHED"}


class Recon3dPanel(bpy.types.Panel):  # type: ignore[misc]
    """The tab in the sidebar."""

    bl_idname = "VIEW3D_PT_recon3d"
    bl_label = "Photos to model"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "recon3d"

    def draw(self, context: Any) -> None:
        """Settings, buttons, and what the run says."""
        layout, settings = self.layout, context.scene.recon3d
        column = layout.column()
        column.enabled = not is_running()
        for name in ("photos", "intrinsics", "masks", "preset", "faces"):
            column.prop(settings, name)
        row = layout.row(align=True)
        row.scale_y = 1.4
        row.operator(Recon3dBuild.bl_idname, icon="MESH_ICOSPHERE")
        row.operator(Recon3dStop.bl_idname, icon="CANCEL")
        layout.operator(Recon3dOpen.bl_idname, icon="FILE_FOLDER")
        if _run is None:
            return
        if _run.state == "running":
            layout.progress(factor=_run.share, text=_run.line)
        said = [] if _run.state == "running" else [_run.line]
        for text in [*said, *_run.warnings]:
            box = layout.column(align=True)
            for line in wrapped(text):
                box.label(text=line)


CLASSES: tuple[type, ...] = (
    Recon3dPreferences,
    Recon3dSettings,
    Recon3dBuild,
    Recon3dOpen,
    Recon3dStop,
    Recon3dPanel,
)


def is_running() -> bool:
    """Whether a run is at work."""
    return _run is not None and _run.state == "running"


def chosen(path: str) -> Path:
    """A path as a person chose it, made whole; a slash at its end has no name."""
    return Path(bpy.path.abspath(path)).resolve()


def start(operator: Any, context: Any, arguments: list[str], folder: Path) -> set[str]:
    """Start recon3d and look after it until it ends."""
    global _run, _folder
    addon = context.preferences.addons.get(__package__)
    try:
        _run = BackgroundRun([*command_of(addon.preferences.program if addon else ""), *arguments])
    except OSError as error:
        words = f"recon3d does not start ({error}). The add-on's preferences say where it is."
        operator.report({"ERROR"}, words)
        return {"CANCELLED"}
    _folder = folder
    bpy.app.timers.register(look, first_interval=_SECONDS_BETWEEN_LOOKS)
    return {"FINISHED"}


def look() -> float | None:
    """Take in what the run says, and what it has made when it is done; Blender calls it."""
    if _run is None:
        return None
    _run.poll()
    if _run.state == "done":
        build(_folder)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
    return _SECONDS_BETWEEN_LOOKS if _run.state == "running" else None


def wrapped(text: str) -> list[str]:
    """Lines that the sidebar can show."""
    return textwrap.wrap(text, _WIDTH_OF_LINE)


def register() -> None:
    """Called by Blender."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.recon3d = bpy.props.PointerProperty(type=Recon3dSettings)


def unregister() -> None:
    """Called by Blender; a run that nobody can stop must not go on."""
    if _run and is_running():
        _run.stop()
    del bpy.types.Scene.recon3d
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
