"""Decoding the user's files, and what they say of themselves."""

from __future__ import annotations

import resource
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import photo_files
import pytest
from PIL import Image

from recon3d.core.errors import InputError, NotEnoughMemoryError, is_lack_of_memory
from recon3d.photos.depth_images import read_depth_m
from recon3d.photos.masks import read_mask
from recon3d.photos.pictures import read_grey, read_picture, read_preview, read_upright

photo = partial(photo_files.photo, size=(128, 96))

SCENE = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_same_upright_picture(
    tmp_path: Path, orientation: int
) -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = 255
    turn_back = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(turn_back(upright))).save(path, exif=exif)
    np.testing.assert_array_equal(read_upright(path), upright)


@pytest.mark.parametrize("shape", ["landscape", "portrait"])
def test_real_photos_of_every_orientation_look_alike(real_photos: Path, shape: str) -> None:
    folder = real_photos / "exif" / "orientation"
    small = [
        Image.fromarray(read_upright(folder / f"{shape}_{n}.jpg")).convert("L").resize((30, 30))
        for n in range(1, 9)
    ]
    alike = np.corrcoef([np.asarray(image, float).ravel() for image in small])
    # Each file bears its own number and tone; the best wrong turn reaches 0.65.
    assert alike.min() > 0.95


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c.webp", "d.tif", "e.bmp", "f.gif"])
def test_common_formats_decode_to_rgb(tmp_path: Path, name: str) -> None:
    rgb = read_upright(photo(tmp_path / name))
    assert rgb.shape == (96, 128, 3)
    assert rgb.dtype == np.uint8


def test_16_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 128 * 96).reshape(96, 128).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "full.png")
    Image.fromarray(ramp // 16).save(tmp_path / "twelve_bits.tif")
    for name in ("full.png", "twelve_bits.tif"):
        picture = read_picture(tmp_path / name)
        np.testing.assert_allclose(picture.rgb[..., 1], ramp / 257.0, atol=1.0)
        assert not picture.is_plain_jpeg


def test_grey_and_cmyk_become_rgb(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 80), (200, 40, 40))
    image.convert("CMYK").save(tmp_path / "cmyk.jpg")
    image.convert("L").save(tmp_path / "grey.jpg")
    cmyk, grey = (read_picture(tmp_path / f"{name}.jpg") for name in ("cmyk", "grey"))
    np.testing.assert_allclose(cmyk.rgb[40, 40], (200, 40, 40), atol=6)
    assert np.ptp(grey.rgb[40, 40]) == 0
    assert grey.is_plain_jpeg
    assert not cmyk.is_plain_jpeg


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white_and_is_remembered(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 255))
    image.paste((90, 90, 90, 0), (0, 0, 40, 80))
    image.convert(mode).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.opaque is not None
    assert picture.opaque[:, 40:].all()
    assert not picture.opaque[:, :40].any()
    assert (picture.rgb[:, :40] == 255).all()


def test_an_opaque_alpha_channel_is_no_mask(tmp_path: Path) -> None:
    Image.new("RGBA", (80, 80), (1, 2, 3, 255)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").opaque is None


def test_an_animation_gives_its_first_picture(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (70, 70), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert tuple(read_upright(tmp_path / "a.gif")[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.gif"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_a_cut_off_file_is_refused_in_words(tmp_path: Path, name: str, share: float) -> None:
    whole = photo(tmp_path / "whole" / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"empty|broken|not a photo"):
        read_picture(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
def test_random_damage_never_crashes(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    exif = Image.Exif()
    exif[0x010F], exif[0x9003] = "Maker", "2020:01:01 10:00:00"
    for name in ("a.jpg", "a.png", "a.tif", "a.webp"):
        whole = np.frombuffer(photo(tmp_path / name, exif=exif).read_bytes(), np.uint8)
        for _ in range(40):
            hurt = whole.copy()
            # Heads hold the structure, so most of the damage goes there.
            places = random.integers(0, min(len(hurt), 400), 6)
            hurt[places] = random.integers(0, 256, 6)
            (tmp_path / name).write_bytes(hurt.tobytes())
            try:
                read_picture(tmp_path / name)
            except InputError as error:
                assert str(error)  # noqa: PT017 - both ends are right, a crash is not


def test_a_decompression_bomb_is_refused_before_it_opens(tmp_path: Path) -> None:
    Image.new("1", (8, 8)).save(tmp_path / "bomb.png")
    png = bytearray((tmp_path / "bomb.png").read_bytes())
    # The header chunk says the size: width and height at 16, checksum at 29.
    struct.pack_into(">2I", png, 16, 30_000, 30_000)
    struct.pack_into(">I", png, 29, zlib.crc32(png[12:29]))
    (tmp_path / "bomb.png").write_bytes(png)
    with pytest.raises(InputError, match="megapixels"):
        read_picture(tmp_path / "bomb.png")


def test_raw_and_video_files_get_advice(tmp_path: Path) -> None:
    for name, advice in (("a.CR2", "Export it"), ("a.mp4", "alone")):
        (tmp_path / name).write_bytes(b"not an image")
        with pytest.raises(InputError) as caught:
            read_picture(tmp_path / name)
        assert advice in caught.value.hint


def test_a_mask_is_resized_by_shape_or_refused(tmp_path: Path) -> None:
    half = np.zeros((48, 64), np.uint8)
    half[:, 32:] = 255
    Image.fromarray(half).save(tmp_path / "m.png")
    keep = read_mask(tmp_path / "m.png", (128, 96))
    assert keep.shape == (96, 128)
    assert keep[:, 64:].all()
    assert not keep[:, :64].any()
    with pytest.raises(InputError, match="64x48, the photo 96x96"):
        read_mask(tmp_path / "m.png", (96, 96))


def test_depth_marks_invalid_values_as_unknown(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1, 1500, 65535]], np.uint16)).save(tmp_path / "d.png")
    np.testing.assert_array_equal(
        read_depth_m(tmp_path / "d.png", 0.001), np.array([[0, 0.001, 1.5, 0]], np.float32)
    )
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.png")
    with pytest.raises(InputError, match="16-bit"):
        read_depth_m(tmp_path / "rgb.png", 0.001)


def exif_photo(path: Path, size: tuple[int, int], main: dict, detail: dict) -> Path:
    exif = Image.Exif()
    exif.update(main)
    exif.get_ifd(0x8769).update(detail)
    Image.new("RGB", size).save(path, exif=exif)
    return path


def test_the_35_mm_equivalent_compares_diagonals(tmp_path: Path) -> None:
    path = exif_photo(tmp_path / "a.jpg", (400, 300), {}, {0xA405: 43})
    # 500 px of diagonal against the 43.27 mm of full frame.
    assert read_picture(path).exif.focal_px == pytest.approx(43 * 500 / 43.2666, rel=1e-4)


def test_the_focal_length_comes_from_pixel_density_and_follows_a_resize(tmp_path: Path) -> None:
    detail = {0x920A: 5.0, 0xA20E: 17791.5, 0xA210: 2, 0xA002: 4608, 0xA003: 3456}
    path = exif_photo(tmp_path / "a.jpg", (1600, 1200), {0x0112: 8}, detail)
    picture = read_picture(path)
    assert picture.rgb.shape == (1600, 1200, 3)
    assert picture.exif.focal_px == pytest.approx(5.0 * 17791.5 / 25.4 * 1600 / 4608, rel=1e-3)


def test_a_cropped_photo_has_no_focal_length(tmp_path: Path) -> None:
    detail = {0xA405: 50, 0xA002: 4608, 0xA003: 3456}
    path = exif_photo(tmp_path / "a.jpg", (1152, 1152), {}, detail)
    assert read_picture(path).exif.focal_px is None


def test_impossible_exif_reads_as_none(tmp_path: Path) -> None:
    path = exif_photo(
        tmp_path / "a.jpg", (400, 300), {0x010F: "\0\0"}, {0xA405: 0, 0x9003: "yesterday"}
    )
    exif = read_picture(path).exif
    assert (exif.make, exif.focal_px, exif.taken_at, exif.gps_deg_m) == (None, None, None, None)


def test_real_exif_is_read(real_photos: Path) -> None:
    exif = read_picture(real_photos / "banana" / "images" / "DSC_0437.JPG").exif
    assert (exif.make, exif.model) == ("NIKON CORPORATION", "NIKON D3200")
    assert exif.taken_at == "2019-07-11T15:08:52"
    berlin = read_picture(real_photos / "berlin_three" / "images" / "01.jpg").exif
    assert berlin.gps_deg_m is not None
    assert berlin.gps_deg_m[:2] == pytest.approx((52.52, 13.40), abs=0.05)
    for path in (real_photos / "exif" / "invalid").glob("*.jpg"):
        read_picture(path)


def test_heic_from_phones_is_upright(real_photos: Path) -> None:
    pytest.importorskip("pillow_heif")
    picture = read_picture(real_photos / "exif" / "heic" / "iphone_13_pro_max.HEIC")
    assert picture.rgb.shape == (4032, 3024, 3)
    assert picture.exif.focal_px == pytest.approx(3029, rel=0.01)


def test_heic_without_its_package_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon3d.photos.decoding._open_heif_too", lambda: False)
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(InputError) as caught:
        read_picture(path)
    assert ".[heic]" in caught.value.hint


# Previews for the screen


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_preview_is_the_upright_picture_made_small(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    big = Image.fromarray(SCENE[::8, ::8]).resize((1280, 960), Image.Resampling.BICUBIC)
    big.save(tmp_path / "a.jpg", quality=95, exif=exif)
    whole, preview = read_picture(tmp_path / "a.jpg"), read_preview(tmp_path / "a.jpg", 160)
    assert (preview.height_px, preview.width_px) == whole.rgb.shape[:2]
    assert max(preview.rgb.shape) == 160
    small = Image.fromarray(whole.rgb).resize(preview.rgb.shape[1::-1])
    # 8 grey levels: the decoder's own shrinking and a good filter differ a little.
    assert np.abs(np.asarray(small, int) - preview.rgb).mean() < 8


def test_a_preview_is_never_larger_than_the_photo(tmp_path: Path) -> None:
    assert read_preview(photo(tmp_path / "a.png"), 1000).rgb.shape == (96, 128, 3)


def test_broken_files_have_no_preview_but_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(InputError, match="not a photo"):
        read_preview(tmp_path / "a.jpg", 160)


@pytest.mark.parametrize(
    "read", [read_picture, read_grey, partial(read_depth_m, unit_m=0.001), read_upright]
)
@pytest.mark.parametrize(
    "error", [MemoryError(), OSError("out of memory when reading image file")], ids=str
)
def test_a_lack_of_memory_is_no_verdict_on_the_photo(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[Path], object],
    error: Exception,
) -> None:
    path = tmp_path / "good.png"
    Image.new("I;16", (400, 300), 7).save(path)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(NotEnoughMemoryError, match=r"decode good\.png of 400x300 pixels; it takes"):
        read(path)


def test_errors_of_every_library_that_mean_a_lack_of_memory_are_known() -> None:
    for error in (
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("OpenCV(4.12) error: (-4:Insufficient memory) Failed to allocate 9 bytes"),
    ):
        assert is_lack_of_memory(error)
    assert not is_lack_of_memory(OSError("image file is truncated"))


def test_a_header_that_claims_gigabytes_takes_none(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg")
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 15_000, 16_000)
    (tmp_path / "a.jpg").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="claims 16000 x 15000 pixels"):
        read_picture(tmp_path / "a.jpg")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_a_large_blank_picture_is_believed(tmp_path: Path) -> None:
    Image.new("L", (8000, 6000), 200).save(tmp_path / "a.png")
    assert read_grey(tmp_path / "a.png").shape == (6000, 8000)
