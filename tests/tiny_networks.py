"""Depth networks of every family, real classes with a handful of random weights, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_SIZE = {"height": 56, "width": 56}


def save_network(kind: str, folder: Path, *, seed: int = 0) -> Path:
    """Make a network and its preprocessor and save them as a model on the hub has them."""
    import torch

    torch.manual_seed(seed)
    model, processor = _MAKERS[kind]()
    with torch.no_grad():
        for parameter in model.parameters():
            # transformers starts so close to 0 that every photo would get the same depth.
            if parameter.dim() > 1:
                torch.nn.init.kaiming_normal_(parameter)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _dinov2(**changes: Any) -> Any:
    from transformers import Dinov2Config

    small = {
        "image_size": 28, "patch_size": 14, "hidden_size": 16, "num_hidden_layers": 4,
        "num_attention_heads": 2, "intermediate_size": 32,
    }  # fmt: skip
    return Dinov2Config(**{**small, **changes})


def _anything(kind: str) -> tuple[Any, Any]:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, DPTImageProcessor

    config = DepthAnythingConfig(
        backbone_config=_dinov2(out_indices=[1, 2, 3, 4], reshape_hidden_states=False),
        reassemble_hidden_size=16, neck_hidden_sizes=[8] * 4, fusion_hidden_size=8,
        head_hidden_size=4, depth_estimation_type=kind, max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    processor = DPTImageProcessor(
        size=_SIZE, keep_aspect_ratio=True, ensure_multiple_of=14, **_IMAGENET
    )
    return DepthAnythingForDepthEstimation(config), processor


def _prompted() -> tuple[Any, Any]:
    from transformers import (
        PromptDepthAnythingConfig,
        PromptDepthAnythingForDepthEstimation,
        PromptDepthAnythingImageProcessor,
    )

    config = PromptDepthAnythingConfig(
        backbone_config=_dinov2(out_indices=[1, 2, 3, 4], reshape_hidden_states=False),
        reassemble_hidden_size=16, neck_hidden_sizes=[8] * 4, fusion_hidden_size=8,
        head_hidden_size=4, depth_estimation_type="metric",
    )  # fmt: skip
    processor = PromptDepthAnythingImageProcessor(
        size=_SIZE, keep_aspect_ratio=True, ensure_multiple_of=14, **_IMAGENET
    )
    return PromptDepthAnythingForDepthEstimation(config), processor


def _dpt() -> tuple[Any, Any]:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32,
        image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8] * 4, fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    return DPTForDepthEstimation(config), DPTImageProcessor(size={"height": 64, "width": 64})


def _midas() -> tuple[Any, Any]:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor, Swinv2Config

    backbone = Swinv2Config(
        image_size=64, patch_size=4, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4,
        window_size=4, out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = DPTConfig(
        backbone_config=backbone, hidden_size=16, neck_hidden_sizes=[8, 16, 32, 64],
        fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    return DPTForDepthEstimation(config), DPTImageProcessor(size={"height": 64, "width": 64})


def _glpn() -> tuple[Any, Any]:
    from transformers import GLPNConfig, GLPNForDepthEstimation, GLPNImageProcessor

    config = GLPNConfig(
        depths=[1] * 4, hidden_sizes=[4, 8, 8, 8], num_attention_heads=[1] * 4,
        decoder_hidden_size=8,
    )  # fmt: skip
    return GLPNForDepthEstimation(config), GLPNImageProcessor()


def _zoe() -> tuple[Any, Any]:
    from transformers import (
        BeitConfig,
        ZoeDepthConfig,
        ZoeDepthForDepthEstimation,
        ZoeDepthImageProcessor,
    )

    backbone = BeitConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32,
        image_size=64, patch_size=16, out_indices=[1, 2, 3, 4], reshape_hidden_states=False,
        use_relative_position_bias=True,
    )  # fmt: skip
    bins = {"n_bins": 8, "min_depth": 1e-3, "max_depth": 10.0, "name": "nyu"}
    config = ZoeDepthConfig(
        backbone_config=backbone, neck_hidden_sizes=[8] * 4, fusion_hidden_size=8,
        bottleneck_features=8, num_relative_features=4, bin_embedding_dim=8,
        bin_configurations=[bins], num_attractors=[4, 2, 2, 1],
    )  # fmt: skip
    processor = ZoeDepthImageProcessor(size={"height": 64, "width": 64}, ensure_multiple_of=32)
    return ZoeDepthForDepthEstimation(config), processor


def _pro() -> tuple[Any, Any]:
    from transformers import DepthProConfig, DepthProForDepthEstimation, DepthProImageProcessor

    config = DepthProConfig(
        fusion_hidden_size=8, patch_size=28, intermediate_hook_ids=[2, 0],
        intermediate_feature_dims=[8, 8], scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.5], scaled_images_feature_dims=[8, 8],
        merge_padding_value=0, use_fov_model=True, num_fov_head_layers=0,
        image_model_config=_dinov2(), patch_model_config=_dinov2(), fov_model_config=_dinov2(),
    )  # fmt: skip
    return DepthProForDepthEstimation(config), DepthProImageProcessor(size=_SIZE)


_MAKERS = {
    "anything": lambda: _anything("relative"),
    "anything_metric": lambda: _anything("metric"),
    "prompted": _prompted,
    "dpt": _dpt,
    "midas": _midas,
    "glpn": _glpn,
    "zoe": _zoe,
    "pro": _pro,
}
KINDS = {
    "anything": "relative", "anything_metric": "metric", "prompted": "metric", "dpt": "relative",
    "midas": "relative", "glpn": "metric", "zoe": "metric", "pro": "metric",
}  # fmt: skip
"""What each must say of itself."""
