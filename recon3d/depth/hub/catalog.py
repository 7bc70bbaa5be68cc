"""Depth networks on the hub that are known to work, and what each is good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recon3d.core.errors import EstimatorError
from recon3d.depth.hub.files import cached_folder


@dataclass(frozen=True)
class KnownModel:
    """One line of `recon3d models`."""

    name: str
    """On the hub."""
    megabytes: int
    """To download."""
    licence: str
    """As its page said when this list was made; the page decides."""
    kind: Literal["relative", "metric"]
    note: str


_FREE, _RESEARCH = "Apache-2.0", "CC-BY-NC-4.0"

KNOWN_MODELS = (
    KnownModel(
        "depth-anything/Depth-Anything-V2-Small-hf", 99, _FREE, "relative",
        "start here: fast on a CPU, may be used for anything",
    ),
    KnownModel(
        "depth-anything/Depth-Anything-V2-Base-hf", 390, _RESEARCH, "relative",
        "finer, not for commercial use",
    ),
    KnownModel(
        "depth-anything/Depth-Anything-V2-Large-hf", 1340, _RESEARCH, "relative",
        "finest of its family, not for commercial use; better with a GPU",
    ),
    KnownModel(
        "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf", 99, "see its page", "metric",
        "rooms, to 20 m",
    ),
    KnownModel(
        "depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf", 1340, _FREE, "metric",
        "streets, to 80 m",
    ),
    KnownModel(
        "depth-anything/prompt-depth-anything-vits-hf", 100, _FREE, "metric",
        "completes the depth of the scene's own points",
    ),
    KnownModel(
        "depth-anything/prompt-depth-anything-vitl-hf", 1360, _FREE, "metric",
        "the same, finer; better with a GPU",
    ),
    KnownModel("LiheYoung/depth-anything-small-hf", 99, _FREE, "relative", "the first version"),
    KnownModel(
        "LiheYoung/depth-anything-large-hf", 1340, _FREE, "relative",
        "the largest that may be used for anything; better with a GPU",
    ),
    KnownModel(
        "apple/DepthPro-hf", 1900, "Apple AMLR, research only", "metric",
        "sharpest edges, knows the field of view; needs a GPU or patience",
    ),
    KnownModel("Intel/zoedepth-nyu-kitti", 1380, "MIT", "metric", "rooms and streets"),
    KnownModel("Intel/dpt-large", 1370, _FREE, "relative", "MiDaS 3.0, looks at squares"),
    KnownModel("Intel/dpt-swinv2-tiny-256", 164, "MIT", "relative", "MiDaS 3.1, small and fast"),
    KnownModel("vinvino02/glpn-nyu", 245, _FREE, "metric", "rooms, to 10 m"),
    KnownModel("vinvino02/glpn-kitti", 245, _FREE, "metric", "streets, from a car"),
)  # fmt: skip

_BEST_FIRST = (
    "depth-anything/Depth-Anything-V2-Large-hf",
    "apple/DepthPro-hf",
    "depth-anything/Depth-Anything-V2-Base-hf",
    "LiheYoung/depth-anything-large-hf",
    "depth-anything/prompt-depth-anything-vitl-hf",
    "depth-anything/Depth-Anything-V2-Small-hf",
    "depth-anything/prompt-depth-anything-vits-hf",
    "LiheYoung/depth-anything-small-hf",
    "Intel/dpt-large",
    "Intel/zoedepth-nyu-kitti",
    "Intel/dpt-swinv2-tiny-256",
)
"""By their authors' figures on data they had not learned from. Those for one kind of place only are
left to who names them."""


def best_on_this_computer() -> str:
    """The name of the best known network that is here.

    Raises:
        EstimatorError: there is none.
    """
    for name in _BEST_FIRST:
        if cached_folder(name):
            return name
    first = KNOWN_MODELS[0]
    raise EstimatorError(
        "No depth network that recon3d knows is on this computer.",
        hint=f"`recon3d models get {first.name}` downloads one ({first.megabytes} MB, "
        f"{first.licence}); `recon3d models` lists more.",
    )
