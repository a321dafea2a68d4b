"""Random changes to a batch of training images, on the device they lie on.

One affine sampling a batch does rotation, shift, change of size and mirroring; one multiply-add does brightness and
contrast. Nothing here can turn a chest upside down: rotation ends at 45 degrees (`recipe.Augment`) and there is no
vertical flip, which the original study had.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from chestxpert.recipe import Augment

GREY_RANGE = 255.0
"""Images hold grey values from 0 to this."""

_DRAWS = 7  # angle, shift right, shift down, size, brightness, contrast, mirror


def augment(images: Tensor, settings: Augment, generator: Generator) -> Tensor:
    """Augmented copy of a batch, each image with draws of its own.

    Parameters
    ----------
    images : (B, 1, H, W) uint8 or float tensor, grey values in [0, 255], on any device
    settings : Augment
        Largest change of each kind; draws are uniform up to it, to either side. A kind whose strength is 0 leaves
        the pixels untouched, so with all at 0 and `hflip` off the values come back bit for bit.
    generator : torch.Generator
        On the CPU, whatever device the images are on: the same seed then augments alike everywhere. Each image
        takes the same number of draws whatever the settings are, so switching one kind off leaves the others be.

    Returns
    -------
    (B, 1, H, W) float32 tensor, grey values in [0, 255], on the device of `images`
        What comes in from outside an image is black (0) before brightness and contrast.
    """
    return changed(images, settings, draw_changes(len(images), generator))


def draw_changes(count: int, generator: Generator) -> Tensor:
    """(count, 7) uniform draws from -1 to 1: how far each of `count` images goes in each kind of change."""
    return torch.rand(count, _DRAWS, generator=generator).mul_(2).sub_(1)


def changed(images: Tensor, settings: Augment, draws: Tensor) -> Tensor:
    """Copy of a batch, each image changed as its row of `draws` (B, 7) says; see `augment`."""
    result = images.float()
    if settings.rotate or settings.shift or settings.scale or settings.hflip:
        height, width = images.shape[-2:]
        matrices = _matrices(draws, settings, height / width).to(images.device)
        result = F.grid_sample(result, _grid(matrices, height, width), padding_mode="zeros", align_corners=False)
    if settings.brightness or settings.contrast:
        gain = 1 + settings.contrast * draws[:, 5]
        offset = GREY_RANGE * (settings.brightness * draws[:, 4] + (1 - gain) / 2)
        gain, offset = (value.to(images.device).view(-1, 1, 1, 1) for value in (gain, offset))
        result = torch.addcmul(offset, result, gain).clamp_(0, GREY_RANGE)
    return result


def _matrices(draws: Tensor, settings: Augment, aspect: float) -> Tensor:
    """(B, 2, 3) maps from places in the result to places in the image, both in [-1, 1]; `aspect` is H / W."""
    angle = draws[:, 0] * math.radians(settings.rotate)
    size = 1 + settings.scale * draws[:, 3]
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    mirror = torch.where(draws[:, 6] < 0, -1.0, 1.0) if settings.hflip else torch.ones(len(draws))
    # A shift by the whole image is 2 in these coordinates.
    right, down = 2 * settings.shift * draws[:, 1], 2 * settings.shift * draws[:, 2]
    rows = [cos * mirror, -sin * aspect, right, sin * mirror / aspect, cos, down]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W, 2) places to sample, as `affine_grid` gives.

    Built as two planes and viewed with the coordinate last: on a CPU that is five times faster than `affine_grid`,
    and `grid_sample` reads planes twice as fast as pairs.
    """
    across = _centres(width, matrices.device) * matrices[:, :, 0:1] + matrices[:, :, 2:3]
    along = _centres(height, matrices.device) * matrices[:, :, 1:2]
    return (along[:, :, :, None] + across[:, :, None, :]).permute(0, 2, 3, 1)


def _centres(pixels: int, device: torch.device) -> Tensor:
    """Centres of `pixels` pixels that together span [-1, 1]."""
    return (torch.arange(pixels, device=device) * 2 + 1) / pixels - 1
