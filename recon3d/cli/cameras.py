"""`recon3d undistort` and `recon3d intrinsics`: what one does with a camera file."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional, arg, subcommand
from tyro.extras import subcommand_type_from_defaults

from recon3d.cli.display import Display
from recon3d.cli.options import NO_DEFAULT, Command
from recon3d.core.orientation import DescribedPixels
from recon3d.language import translate
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task


@dataclass(frozen=True, kw_only=True)
class Undistort(Command):
    """Write photos as a camera without distortion would have taken them, and its camera file.

    recon3d undistort imgs/ --intrinsics K.json -o out/
    """

    supervised: ClassVar[bool] = True

    photos: Annotated[Positional[tuple[Path, ...]], arg(metavar="PHOTOS", help_behavior_hint="")]
    """A folder (searched through), or photo files."""
    intrinsics: Path
    """Camera file with the distortion."""
    output: Annotated[Path, arg(aliases=["-o"])]
    """Folder to write the photos and K.json to."""
    crop: Literal["inside", "all", "same"] = "inside"
    """inside has no blank pixels, all keeps everything that was seen, same keeps the size and the
    focal length."""
    orientation: DescribedPixels = "auto"
    """Which pixels the camera is for where EXIF turns a photo, stored or upright; auto goes by its
    size."""
    workers: Annotated[int, NO_DEFAULT] = 0
    """Threads; 0 means one per core."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Resample one photo after the other.

        Raises:
            InputError: the photos or the camera file cannot be used.
            OutputError: the folder cannot be written.
        """
        from recon3d_calib.undistort import undistort_photos

        from recon3d.photos.finding import list_photos
        from recon3d.photos.naming import PHOTO_SUFFIXES

        photos = {
            photo_id: path
            for photo_id, path in list_photos(self.photos).items()
            if path.suffix.lower() in PHOTO_SUFFIXES
        }
        done = undistort_photos(
            photos,
            self.intrinsics,
            self.output,
            self.crop,
            Task("undistort", display, cancel),
            Runtime(workers=self.workers).threads,
            self.orientation,
        )
        lines = [
            f"Written:  {len(done.written)} photos in {self.output}",
            f"Camera:   {done.camera_file}",
            *[f"Left out: {photo_id}: {reason}" for photo_id, reason in done.left_out.items()],
        ]
        display.result(
            {
                "written": [str(path) for path in done.written],
                "camera": str(done.camera_file),
                "left_out": dict(done.left_out),
            },
            "\n".join(lines),
        )


@dataclass(frozen=True, kw_only=True)
class Convert(Command):
    """Write a camera file, or one of a rig, in another program's format.

    recon3d intrinsics convert K.json camera.yaml
    recon3d intrinsics convert K.rig.json camchain.yaml
    """

    source: Annotated[Positional[Path], arg(metavar="FROM")]
    """Camera file in any format that recon3d reads."""
    target: Annotated[Positional[Path], arg(metavar="TO")]
    """File to write: .json is recon3d's, transforms.json nerfstudio's, .yaml OpenCV's, .txt
    COLMAP's; of a rig .yaml is Kalibr's and rig_config.json COLMAP's."""
    format: Annotated[
        Literal["recon3d", "opencv", "colmap", "nerfstudio", "kalibr", "ros"] | None, NO_DEFAULT
    ] = None
    """Where the name does not say it."""
    size: Annotated[tuple[int, int] | None, arg(metavar="WIDTH HEIGHT"), NO_DEFAULT] = None
    """Size of the photos in pixels, for files that do not say it."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Read and write.

        Raises:
            IntrinsicsError: the file cannot be read or holds several cameras.
            OutputError: the place cannot be written, or the format has no such lens.
        """
        from recon3d.core.errors import IntrinsicsError
        from recon3d.photos.intrinsics import read_camera_file
        from recon3d.photos.intrinsics_files import write_camera_file
        from recon3d.photos.rig_files import read_rig_file, write_rig_file

        size = self.size or (0, 0)
        if rig := read_rig_file(self.source, size):
            write_rig_file(self.target, rig, self.format)
            display.result({"written": [str(self.target)]}, f"Written:  {self.target}")
            return
        file = read_camera_file(self.source, size)
        cameras = [*file.shared, *file.by_name.values()]
        if len(set(cameras)) != 1:
            raise IntrinsicsError(
                f"{self.source.name} holds {len(cameras)} cameras, not one.",
                hint="Cut the file down to the camera that you want.",
            )
        write_camera_file(self.target, cameras[0], self.format)
        display.result({"written": [str(self.target)]}, f"Written:  {self.target}")


def intrinsics_group() -> Any:
    """`recon3d intrinsics` and its subcommands, as a type that tyro understands."""
    actions: dict[str, Command] = {"convert": Convert(source=tyro.MISSING, target=tyro.MISSING)}
    words = {name: translate(inspect.getdoc(command) or "") for name, command in actions.items()}
    kinds: Any = subcommand_type_from_defaults(actions, words)
    return Annotated[
        kinds, subcommand("intrinsics", description=translate("Convert camera files."))
    ]
