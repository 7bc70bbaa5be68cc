"""What each family of depth networks in transformers wants to see, and what it answers.

From the code of transformers 5 and the papers:
Depth Anything: Yang et al., CVPR and NeurIPS 2024. DPT, MiDaS: Ranftl et al., ICCV 2021 and TPAMI
2022. ZoeDepth: Bhat et al., 2023. Depth Pro: Bochkovskii et al., 2024. GLPN: Kim et al., 2022.
Prompt Depth Anything: Lin et al., CVPR 2025. TIPSv2: its depth head speaks in bins of metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from recon3d.core.errors import EstimatorError


@dataclass(frozen=True, kw_only=True)
class Family:
    """How one kind of network is fed and read."""

    label: str
    answer: Literal["inverse", "depth", "canonical"]
    """inverse: inverse depth up to scale and shift. depth: depth_z in metres, or in the unit of
    the prompt. canonical: inverse depth in metres for a camera whose focal length is the width."""
    short_px: int
    """Shorter side of the input where the model's own settings do not say."""
    multiple: int = 14
    """Both sides of the input are multiples of this."""
    square: bool = False
    """The network only takes squares, whatever the photo's aspect."""
    mirrored_border: bool = False
    """The photo is continued by its mirror image, against the network's errors at borders."""
    prompted: bool = False
    """It also wants known depths."""

    @property
    def kind(self) -> Literal["metric", "relative"]:
        """Of the predictions."""
        return "relative" if self.answer == "inverse" else "metric"

    def input_size(
        self, width_px: int, height_px: int, preprocessing: Mapping[str, Any]
    ) -> tuple[int, int]:
        """Width and height at which the network looks at a photo, aspect kept where it may be.

        preprocessing: The model's preprocessor_config.json, which may know a better size.

        Raises:
            EstimatorError: the size it knows is none.
        """
        size = preprocessing.get("size", self.short_px)
        if not preprocessing.get("do_resize", True):
            size = self.short_px
        sides = [size]
        if isinstance(size, Mapping):
            sides = [size.get("height", self.short_px), size.get("width", self.short_px)]
        size = min(map(_pixels, sides))
        if self.square:
            return size, size
        factor = size / min(width_px, height_px)
        width, height = (
            max(1, round(side * factor / self.multiple)) * self.multiple
            for side in (width_px, height_px)
        )
        return width, height

    @property
    def tiles_help(self) -> bool:
        """Whether pieces of the photo may be looked at one by one."""
        return self.answer != "canonical" and not self.prompted


_MOST_PX = 8192
_ZOE = Family(label="ZoeDepth", answer="depth", short_px=384, multiple=32, mirrored_border=True)
_GLPN = Family(label="GLPN", answer="depth", short_px=480, multiple=32)
_DEPTH_PRO = Family(label="Depth Pro", answer="canonical", short_px=1536, square=True)
_PROMPTED = Family(label="Prompt Depth Anything", answer="depth", short_px=756, prompted=True)
_TIPS = Family(label="TIPSv2", answer="depth", short_px=448)


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a model, from its config.json.

    Raises:
        EstimatorError: it is not a network for the depth of photos that recon3d can read.
    """
    match config.get("model_type"):
        case "depth_anything":
            metric = config.get("depth_estimation_type") == "metric"
            answer: Literal["inverse", "depth"] = "depth" if metric else "inverse"
            return Family(
                label="Depth Anything", answer=answer, short_px=518, multiple=_patch_px(config)
            )
        case "dpt":
            return _dpt(config)
        case "zoedepth":
            return _ZOE
        case "glpn":
            return _GLPN
        case "depth_pro":
            return _DEPTH_PRO
        case "prompt_depth_anything":
            return _PROMPTED
        case "tipsv2_dpt":
            return _TIPS
        case "chmv2":
            raise EstimatorError(
                "This network estimates the height of trees from above, not the depth of photos."
            )
        case other:
            raise EstimatorError(
                f"recon3d cannot use a network of type {other}.",
                hint="Depth Anything, DPT and MiDaS, ZoeDepth, Depth Pro, GLPN, Prompt Depth "
                "Anything and TIPSv2 in the format of transformers work.",
            )


def _dpt(config: Mapping[str, Any]) -> Family:
    backbone = config.get("backbone_config")
    if not isinstance(backbone, Mapping) or config.get("is_hybrid"):
        # transformers folds the tokens of DPT's own ViT into a square.
        return Family(label="DPT", answer="inverse", short_px=384, multiple=32, square=True)
    if config.get("add_projection"):
        # The heads of DINOv2's authors, trained on NYU or KITTI.
        return Family(label="DPT", answer="depth", short_px=518, multiple=_patch_px(backbone))
    return Family(label="DPT", answer="inverse", short_px=384, multiple=32)


def _patch_px(config: Mapping[str, Any]) -> int:
    patch = config.get("patch_size", 14)
    return _pixels(patch[0] if isinstance(patch, list) and patch else patch)


def _pixels(side: object) -> int:
    if isinstance(side, bool) or not isinstance(side, int | float) or not 1 <= side <= _MOST_PX:
        raise EstimatorError(
            f"The settings of the network name {side!r} as a size in pixels.",
            hint="Download it again: `recon3d models get OWNER/NAME`.",
        )
    return int(side)
