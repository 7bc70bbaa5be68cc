"""A depth network of transformers at work: pictures in, inverse depth out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub.errors import StrictDataclassError
from jaxtyping import Float32, UInt8
from torch import Tensor

from recon3d.core.errors import EstimatorError
from recon3d.depth.device import full_precision
from recon3d.depth.hub.families import Family
from recon3d.depth.hub.files import PROCESSOR, read_settings

Picture = UInt8[np.ndarray, "h w 3"]
Map = Float32[np.ndarray, "h w"]

_MISFITS = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    ImportError,
    StrictDataclassError,
)
"""What transformers answers to files that do not fit together: whatever goes wrong first."""
_AT_ONCE = {"cpu": 2, "cuda": 16}
_NEAREST = 1e-3
"""Metres; nearer is a division by nothing."""
_UNUSED = re.compile(r"fusion_stage\.layers\.0\.residual_layer1\.|\.mask_token$|\.pooler\.")
"""Parts that published weights lack and predictions do not use: the first fusion layer has nothing
to add to, masks are for training."""


class HubNetwork:
    """Loaded weights on a device."""

    def __init__(self, folder: Path, family: Family, device: torch.device, threads: int) -> None:
        """Load.

        Raises:
            EstimatorError: the files do not fit together.
        """
        self._folder = folder
        self._family = family
        self._device = device
        self._threads = threads
        self._preprocessing = read_settings(folder, PROCESSOR)
        self._processor, self._model = _load(folder, device)
        self._at_once = _AT_ONCE[device.type]

    def look(
        self,
        pictures: Sequence[Picture],
        check: Callable[[], None],
        *,
        focal_px: float,
        hints: Sequence[Map] = (),
    ) -> list[Map]:
        """Inverse depth of pictures of one size; where it is not positive nothing is known.

        Args:
            pictures: All of one size, such as a photo and its mirror image.
            check: Called between passes; may raise to stop.
            focal_px: Of the pictures; turns what Depth Pro says into metres.
            hints: Known depth_z of each picture, of any size, for networks that want some.
        """
        height, width = pictures[0].shape[:2]
        border = _border(height, width) if self._family.mirrored_border else (0, 0)
        pixels = torch.stack([self._pixels(picture, border) for picture in pictures])
        known = torch.from_numpy(np.stack(hints))[:, None] if hints else None
        said = self._passes(pixels, known, check)
        if self._family.answer == "canonical":
            said = said * (width / focal_px)
        elif self._family.answer == "depth":
            said = 1 / said.clamp_min(_NEAREST)
        size = (height + 2 * border[0], width + 2 * border[1])
        said = F.interpolate(said[:, None], size, mode="bilinear")[:, 0]
        said = said[:, border[0] : border[0] + height, border[1] : border[1] + width]
        return list(said.cpu().numpy())

    def field_of_view_deg(self, picture: Picture) -> float | None:
        """How wide the camera looks, horizontally; None from networks that do not guess that."""
        if self._family.answer != "canonical":
            return None
        pixels = self._pixels(picture, (0, 0))[None].to(self._device)
        with torch.inference_mode(), full_precision():
            angle_deg = self._model(pixel_values=pixels).field_of_view
        return None if angle_deg is None else float(angle_deg[0])

    def _pixels(self, picture: Picture, border: tuple[int, int]) -> Tensor:
        """Resampled to the network's input, with the colours it was trained on."""
        import cv2

        rows, columns = border
        if border != (0, 0):
            picture = np.asarray(
                cv2.copyMakeBorder(picture, rows, rows, columns, columns, cv2.BORDER_REFLECT_101)
            )
        height, width = picture.shape[:2]
        size = self._family.input_size(width, height, self._preprocessing)
        shrinks = size[0] * size[1] < width * height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        resized = np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=method))
        with _misfits_explained(self._folder):
            prepared = self._processor(
                images=[resized], do_resize=False, do_pad=False, return_tensors="pt"
            )
            return prepared["pixel_values"][0]

    def _passes(self, pixels: Tensor, known: Tensor | None, check: Callable[[], None]) -> Tensor:
        """What the model predicts, in as many passes as the memory asks for."""
        done: list[Tensor] = []
        start = 0
        while start < len(pixels):
            check()
            part = slice(start, start + self._at_once)
            try:
                done.append(self._one_pass(pixels[part], None if known is None else known[part]))
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                if self._at_once == 1:
                    raise EstimatorError(
                        f"{self._family.label} needs more memory than the GPU has.",
                        hint="Run with --device cpu, or choose a smaller network.",
                    ) from error
                self._at_once //= 2
                continue
            start = part.stop
        return torch.cat(done)

    def _one_pass(self, pixels: Tensor, known: Tensor | None) -> Tensor:
        inputs = {"pixel_values": pixels.to(self._device)}
        if known is not None:
            inputs["prompt_depth"] = known.to(self._device)
        # Not in half precision: depth would then depend on the device, and is kept for both.
        with torch.inference_mode(), _torch_threads(self._threads), full_precision():
            said: Tensor = self._model(**inputs).predicted_depth.float()
        return said


def _border(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of mirror image, as ZoeDepth's authors chose them."""
    return int(np.sqrt(height / 2) * 3), int(np.sqrt(width / 2) * 3)


def _load(folder: Path, device: torch.device) -> tuple[Any, torch.nn.Module]:
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    with _misfits_explained(folder), _quiet():
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True, trust_remote_code=False
        )
        # float32, whatever the file holds: the CPU is slow at anything else.
        model, report = AutoModelForDepthEstimation.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    missing = sorted(key for key in report["missing_keys"] if not _UNUSED.search(key))
    if missing:
        # transformers would fill them with random numbers.
        raise EstimatorError(
            f"The weights in {folder} are not those of its config.json: {len(missing)} parts are "
            f"missing, the first is {missing[0]}.",
            hint="Download both again, from the same model.",
        )
    return processor, model.to(device).eval()


@contextmanager
def _misfits_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except _MISFITS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EstimatorError(
            f"The depth network in {folder} cannot be loaded: {reason}",
            hint="Its files do not fit together, or it needs another version of transformers.",
        ) from error


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Share one pass among threads: unlike a plane sweep, it is made of few, large products.

    Only for the pass, because another estimator may be at work between two of them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and reports off the terminal: ours is the one that speaks."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
