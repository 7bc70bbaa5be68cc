"""What a camera does to a clean picture, cheap enough to run at every step of training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_BORDER_PX = 8
"""Blur sees a mirrored border of this width instead of the opposite side."""

_LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Annex K of the JPEG standard; chroma is quantised by the same table, 1.4 times coarser."""


def degrade(rgb: Tensor, generator: torch.Generator) -> Tensor:
    """Photograph clean pictures (v, 3, h, w) uint8 with different, imperfect cameras.

    Exposure, white balance, contrast, vignetting, blur by focus and by hand, noise and JPEG are
    drawn per view, their overall strength per call; one call in ten changes nothing. The generator
    must live on rgb's device.
    """
    views = rgb.shape[0]
    draws = torch.rand(views + 1, 16, generator=generator, device=generator.device)
    if float(draws[-1, 0]) < 0.1:
        return rgb.clone()
    # One careful photographer, one careless one: faults of a set come together.
    severity = draws[-1, 1].clamp_min(0.15)
    draws = draws[:-1].to(rgb.device)
    values = _developed(rgb, draws, severity)
    values = _blurred(values, draws, severity)
    values *= _vignette(draws[:, 8] * draws[:, 9] * severity, *rgb.shape[-2:])
    values = values.clamp_(0, 1)
    values = _with_noise(values, draws, severity, generator)
    compressed = draws[:, 13] < 0.7
    quality = 95 - 65 * draws[:, 14] * severity.sqrt()
    values = torch.where(compressed[:, None, None, None], _jpeg(values, quality), values)
    return values.mul_(255).round_().clamp_(0, 255).to(torch.uint8)


def _developed(rgb: Tensor, draws: Tensor, severity: Tensor) -> Tensor:
    """Exposure, white balance and contrast by one look-up table per view and channel."""
    signed = 2 * draws - 1
    stops = signed[:, 0] * 0.7 * severity
    balance = signed[:, 1:3] * 0.14 * severity
    channels = torch.stack([balance[:, 0], -0.3 * balance[:, 0] + balance[:, 1], -balance[:, 0]], 1)
    gamma = torch.exp(signed[:, 3] * 0.25 * severity)[:, None, None]
    contrast = (1 + signed[:, 4] * 0.2 * severity)[:, None, None]
    level = torch.linspace(0, 1, 256, device=rgb.device)
    # Gains act on linear light; 2.2 brings them to sRGB values.
    gain = torch.exp2((stops[:, None] + channels) / 2.2)[..., None]
    table = (((level * gain) ** gamma - 0.4) * contrast + 0.4).clamp_min(0)
    return table.flatten(0, 1).gather(1, rgb.flatten(2).flatten(0, 1).long()).view(rgb.shape)


def _blurred(values: Tensor, draws: Tensor, severity: Tensor) -> Tensor:
    """Softness, defocus and hand shake in one product of their frequency responses."""
    height, width = values.shape[-2:]
    # Blur is a share of the picture, hence more pixels of a larger one.
    unit_px = max(height, width) / 320
    soft_px = 0.15 + 0.4 * draws[:, 5]
    focus_px = torch.where(draws[:, 6] < 0.15, 2.0 * severity * draws[:, 7], 0.0)
    shake_px = torch.where(draws[:, 10] < 0.4, 6.0 * severity * draws[:, 11] ** 2, 0.0) * unit_px
    sigma2 = (soft_px**2 + (focus_px * unit_px) ** 2)[:, None, None]
    padded = F.pad(values, (_BORDER_PX,) * 4, mode="reflect")
    size = padded.shape[-2:]
    fy = torch.fft.fftfreq(size[0], device=values.device)[:, None]
    fx = torch.fft.rfftfreq(size[1], device=values.device)[None]
    angle = (draws[:, 12] * torch.pi)[:, None, None]
    along = (fx * angle.cos() + fy * angle.sin()) * shake_px[:, None, None]
    response = torch.exp(-2 * torch.pi**2 * sigma2 * (fx**2 + fy**2)) * torch.sinc(along)
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * response[:, None], s=size)
    return blurred[..., _BORDER_PX : _BORDER_PX + height, _BORDER_PX : _BORDER_PX + width]


def _vignette(strength: Tensor, height: int, width: int) -> Tensor:
    """Factors (v, 1, h, w) that fall to 1 - 0.5 * strength in the corners."""
    y = torch.linspace(-1, 1, height, device=strength.device)[:, None]
    x = torch.linspace(-1, 1, width, device=strength.device)[None]
    return 1 - 0.5 * strength[:, None, None, None] * ((x**2 + y**2) / 2)


def _with_noise(
    values: Tensor, draws: Tensor, severity: Tensor, generator: torch.Generator
) -> Tensor:
    """Shot and read noise; colour noise is coarser, as demosaicing leaves it."""
    views, _, height, width = values.shape
    amount = 0.06 * (severity * draws[:, 15] ** 3)[:, None, None, None]
    grain = torch.randn(views, 1, height, width, generator=generator, device=values.device)
    coarse = torch.randn(
        views, 3, (height + 1) // 2, (width + 1) // 2, generator=generator, device=values.device
    )
    colour = F.interpolate(coarse, (height, width), mode="bilinear")
    spread = (values.mean(1, keepdim=True) + 0.1).sqrt_() * amount
    return torch.addcmul(values, spread, colour.mul_(0.7).add_(grain)).clamp_(0, 1)


def _jpeg(values: Tensor, quality: Tensor) -> Tensor:
    """Quantise 8x8 blocks of luma and of half-size chroma, quality (v,) from 30 to 95."""
    height, width = values.shape[-2:]
    padded = F.pad(values, (0, -width % 16, 0, -height % 16), mode="replicate") * 255
    red, green, blue = padded.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack([(blue - luma) * 0.564, (red - luma) * 0.713], 1)
    small = F.avg_pool2d(chroma, 2)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    luma = _quantised(luma[:, None] - 128, scale)[:, 0] + 128
    chroma = F.interpolate(_quantised(small, scale * 1.4), scale_factor=2, mode="bilinear")
    cb, cr = chroma.unbind(1)
    red, blue = luma + 1.402 * cr, luma + 1.772 * cb
    green = luma - 0.344 * cb - 0.714 * cr
    rgb = torch.stack([red, green, blue], 1)[..., :height, :width]
    return (rgb / 255).clamp_(0, 1)


def _quantised(planes: Tensor, scale: Tensor) -> Tensor:
    """(v, c, h, w), h and w multiples of 8, through quantised DCT coefficients."""
    views, channels, height, width = planes.shape
    transform = _dct64(planes.device)
    steps = torch.tensor(_LUMA_TABLE, device=planes.device).flatten() * scale[:, None]
    steps = steps.clamp_min(1)[:, None]
    blocks = planes.view(views, channels, height // 8, 8, width // 8, 8)
    blocks = blocks.permute(0, 1, 2, 4, 3, 5).reshape(views, -1, 64)
    coefficients = (blocks @ transform.T).div_(steps).round_().mul_(steps)
    blocks = (coefficients @ transform).view(views, channels, height // 8, width // 8, 8, 8)
    return blocks.permute(0, 1, 2, 4, 3, 5).reshape(planes.shape)


def _dct64(device: torch.device) -> Tensor:
    """The orthonormal DCT of an 8x8 block as one 64x64 matrix."""
    index = torch.arange(8, device=device, dtype=torch.float32)
    rows = torch.cos((2 * index + 1) * index[:, None] * torch.pi / 16) / 2
    rows[0] *= 0.5**0.5
    return torch.kron(rows, rows)
