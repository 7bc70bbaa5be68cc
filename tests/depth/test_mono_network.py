"""The network takes pictures of any size, and its losses are what the papers say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import pytest
import torch
import torchvision
from torch import Tensor

from recon3d.core.errors import ConfigError, EstimatorError
from recon3d.depth.mono.imagenet import new_network
from recon3d.depth.mono.losses import parse_loss
from recon3d.depth.mono.network import MonoNetwork
from recon3d.depth.mono.recipe import EncoderName, ModelConfig

TARGET = torch.zeros(1, 1, 2, 2)
SMALL = ModelConfig(encoder="mobilenet_v3_large", decoder_width=4)
KNOWN = torch.ones(1, 1, 2, 2, dtype=torch.bool)


def network(encoder: EncoderName = "mobilenet_v3_large") -> MonoNetwork:
    torch.manual_seed(0)
    return MonoNetwork(ModelConfig(encoder=encoder, decoder_width=4)).eval()


@pytest.mark.parametrize("encoder", get_args(EncoderName))
@torch.inference_mode()
def test_every_encoder_gives_depth_of_the_pictures_size(encoder: EncoderName) -> None:
    found = network(encoder)(torch.rand(1, 3, 64, 96), torch.rand(1, 2, 64, 96))
    assert found.shape == (1, 1, 64, 96)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (63, 65), (33, 90), (1, 7)])
@torch.inference_mode()
def test_padding_to_a_multiple_of_32_leaves_no_trace(height: int, width: int) -> None:
    net, inputs = network(), (torch.rand(1, 3, height, width), torch.rand(1, 2, height, width))
    padding = (0, -width % 32, 0, -height % 32)
    padded = [torch.nn.functional.pad(values, padding, mode="replicate") for values in inputs]
    found = net(*inputs)
    assert found.shape == (1, 1, height, width)
    torch.testing.assert_close(found, net(*padded)[..., :height, :width])


def value(text: str, errors: list[float], valid: Tensor = KNOWN) -> float:
    predicted = torch.tensor(errors).view(1, 1, 2, 2)
    return parse_loss(text)(predicted, TARGET, valid)[0].item()


def test_losses_match_values_worked_out_by_hand() -> None:
    errors = [0.0, 0.5, -1.0, 0.1]
    assert value("mse", errors) == pytest.approx((0.25 + 1 + 0.01) / 4)
    assert value("l1", errors) == pytest.approx(1.6 / 4)
    # c = 0.2: 0 and 0.1 stay, 0.5 -> (0.25 + 0.04) / 0.4, 1 -> (1 + 0.04) / 0.4
    assert value("berhu", errors) == pytest.approx((0.1 + 0.29 / 0.4 + 1.04 / 0.4) / 4)
    spread = 1.26 / 4 - 0.85 * (-0.4 / 4) ** 2
    assert value("silog", errors) == pytest.approx(math.sqrt(spread))
    # Rows 0 0.5 and -1 0.1: |0.5|, |1.1| across, |-1|, |-0.4| down; coarser scales have one pixel.
    assert value("gradient", errors) == pytest.approx(((0.5 + 1.1) / 2 + (1 + 0.4) / 2) / 4)


def test_unknown_pixels_do_not_count() -> None:
    valid = torch.tensor([[[[True, True], [False, True]]]])
    assert value("l1", [0.0, 0.5, float("nan"), 0.1], valid) == pytest.approx(0.6 / 3)
    assert value("gradient", [0.0, 0.5, 9.0, 0.1], valid) == pytest.approx((0.5 + 0.4) / 4)


def test_a_picture_without_any_known_pixel_is_left_out_of_the_mean() -> None:
    valid = torch.cat([KNOWN, ~KNOWN])
    predicted = torch.ones(2, 1, 2, 2, requires_grad=True)
    loss, _ = parse_loss("silog+l1")(predicted, torch.zeros(2, 1, 2, 2), valid)
    assert loss.item() == pytest.approx(math.sqrt(0.15) + 1)
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(predicted.grad).all()
    nothing, _ = parse_loss("mse")(predicted, torch.zeros(2, 1, 2, 2), valid & False)
    assert nothing.item() == 0


def test_silog_forgives_most_of_a_wrong_scale_and_a_perfect_guess_can_be_learned_from() -> None:
    assert value("silog", [0.3] * 4) == pytest.approx(0.3 * math.sqrt(0.15))
    predicted = torch.zeros(1, 1, 2, 2, requires_grad=True)
    parse_loss("silog")(predicted, TARGET, KNOWN)[0].backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(predicted.grad).all()


def test_mixtures_add_up() -> None:
    errors = [0.0, 0.5, -1.0, 0.1]
    mixed = value("silog + 0.5*gradient+2*l1", errors)
    parts = value("silog", errors) + 0.5 * value("gradient", errors) + 2 * value("l1", errors)
    assert mixed == pytest.approx(parts)


@pytest.mark.parametrize("text", ["", "siglog", "0*l1", "-1*l1", "l1+", "1..2*l1", "inf*l1"])
def test_an_impossible_loss_is_refused_with_the_known_names(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_loss(text)
    assert "berhu" in caught.value.hint


def test_a_missing_broken_or_strange_file_of_imagenet_weights_is_named(tmp_path: Path) -> None:
    broken, strange = tmp_path / "broken.pth", tmp_path / "strange.pth"
    broken.write_bytes(b"PK\x03\x04 not a zip")
    torch.save({"fc.weight": torch.zeros(3)}, strange)
    for path in (broken, strange, tmp_path / "missing.pth"):
        with pytest.raises(EstimatorError, match=path.name):
            new_network(SMALL, str(path))


def test_imagenet_weights_reach_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.manual_seed(1)
    backbone = torchvision.models.mobilenet_v3_large(weights=None)
    torch.save(backbone.state_dict(), path)
    net, words = new_network(SMALL, str(path))
    torch.testing.assert_close(net.stages[0][0][0].weight, backbone.features[0][0].weight)
    assert "weights.pth" in words


def test_without_imagenet_weights_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    _, words = new_network(SMALL, "auto")
    assert "from scratch" in words
    assert "--pretrained" in caplog.text
