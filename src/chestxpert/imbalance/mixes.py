"""Mixes of the images of a batch, by the name that a recipe's ``sampling.mix.kind`` gives them.

A mix takes a batch and a batch of partners of the same length and gives one batch. It treats every row alike: what is
drawn, is drawn once a batch. So several processes that hold a share of both each get their share of the mixed batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chestxpert.errors import RecipeError
from chestxpert.imbalance.own import own_function
from chestxpert.recipe import Draw, Mix
from chestxpert.recipe.checks import require
from chestxpert.recipe.selection import is_own


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch that is learned from.

    Attributes
    ----------
    inputs : (B, 1, H, W) images or (B, D) features, float tensor
    targets : (B, M) float tensor in [0, 1]
    known : (B, M) bool tensor
        Where the target is known.
    """

    inputs: Tensor
    targets: Tensor
    known: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: Tensor | slice) -> Examples:
        return Examples(self.inputs[rows], self.targets[rows], self.known[rows])

    def halves(self) -> tuple[Examples, Examples]:
        """The first half of the rows, and the second."""
        middle = len(self) // 2
        return self[slice(0, middle)], self[slice(middle, 2 * middle)]


MixFunction = Callable[..., Examples]
"""Takes (first, second, rng) and the settings of the catalogue by keyword; see `mixed`."""


def _none(first: Examples, second: Examples, rng: np.random.Generator) -> Examples:
    return first


def mixup(first: Examples, second: Examples, rng: np.random.Generator, *, alpha: float = 0.2) -> Examples:
    """``x = l x_1 + (1 - l) x_2`` and the same of the targets, with l from Beta(alpha, alpha).

    Zhang et al., mixup: Beyond empirical risk minimization, ICLR 2018, equation 1, with one l a batch and a shuffled
    batch as its own partner, as in the paper's implementation. On the features of a frozen backbone it is manifold
    mixup at the last layer before the head (Verma et al., Manifold mixup, ICML 2019, section 2).
    """
    require(alpha > 0, "sampling.mix.alpha is above 0", alpha)
    return _blend(first, second, float(rng.beta(alpha, alpha)))


def balanced_mixup(first: Examples, second: Examples, rng: np.random.Generator, *, alpha: float = 0.2) -> Examples:
    """``x = (1 - l) x_instance + l x_balanced`` and the same of the targets, with l from Beta(alpha, 1).

    `first` is a batch of the recipe's own draw, `second` one drawn class-balanced, which with a small alpha gives
    ``alpha / (alpha + 1)`` of the mix on average: rare rows are seen often, but hardly ever alone, and so are not
    learned by heart (Galdran et al., Balanced-MixUp for highly imbalanced medical image classification, MICCAI 2021,
    section 2; the paper tries alpha 0.1, 0.2 and 0.3).
    """
    require(alpha > 0, "sampling.mix.alpha is above 0", alpha)
    return _blend(first, second, 1.0 - float(rng.beta(alpha, 1.0)))


def cutmix(first: Examples, second: Examples, rng: np.random.Generator, *, alpha: float = 1.0) -> Examples:
    """A rectangle of `second` over the same place of `first`; targets by the share of the area.

    With l from Beta(alpha, alpha), the rectangle has sides ``W sqrt(1 - l)`` and ``H sqrt(1 - l)`` around a point drawn
    anywhere in the image, and is cut at its border; l then becomes the share of `first` that is still seen (Yun et al.,
    CutMix, ICCV 2019, equations 1 and 2). Where in a training image a finding lies is not known. Were any place as
    likely as any other, a finding of one image alone would still be there with the probability of that image's share of
    the area, which is the target it gets; a finding of both images keeps the target 1. 'balanced-cutmix' does the same
    with a partner drawn class-balanced, so that rare findings are pasted onto frequent ones (Park et al., The majority
    can help the minority, CVPR 2022).
    """
    require(alpha > 0, "sampling.mix.alpha is above 0", alpha)
    if first.inputs.ndim != 4:
        raise RecipeError(f"cutmix pastes regions of images (B, C, H, W), but got inputs of {first.inputs.ndim} axes.")
    height, width = first.inputs.shape[-2:]
    top, bottom, left, right = _rectangle(height, width, float(rng.beta(alpha, alpha)), rng)
    inputs = first.inputs.clone()
    inputs[..., top:bottom, left:right] = second.inputs[..., top:bottom, left:right]
    share = 1.0 - (bottom - top) * (right - left) / (height * width)
    return Examples(inputs, *_blended_targets(first, second, share))


def _rectangle(height: int, width: int, share: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the part of the image that goes when `share` of it is to stay."""
    edges = []
    for side in (height, width):
        half = int(side * np.sqrt(1.0 - share)) // 2
        centre = int(rng.integers(side))
        edges += [max(centre - half, 0), min(centre + half, side)]
    return edges[0], edges[1], edges[2], edges[3]


def _blend(first: Examples, second: Examples, share: float) -> Examples:
    """`share` of `first` and the rest of `second`."""
    inputs = share * first.inputs + (1.0 - share) * second.inputs
    return Examples(inputs, *_blended_targets(first, second, share))


def _blended_targets(first: Examples, second: Examples, share: float) -> tuple[Tensor, Tensor]:
    """Targets, and where they are known: where both are, or the one that is all there is."""
    known = torch.ones_like(first.known)
    if share > 0:
        known = known & first.known
    if share < 1:
        known = known & second.known
    return share * first.targets + (1.0 - share) * second.targets, known


FUNCTIONS: Mapping[str, MixFunction] = {
    "none": _none,
    "mixup": mixup,
    "balanced-mixup": balanced_mixup,
    "cutmix": cutmix,
    "balanced-cutmix": cutmix,
}

_BALANCED = ("balanced-mixup", "balanced-cutmix")


def partner_draw(mix: Mix) -> Draw | None:
    """How the partners of an epoch are drawn; None where a batch, shuffled, is its own partner."""
    return Draw("class-balanced") if mix.kind in _BALANCED else None


def mix_function(mix: Mix) -> MixFunction:
    """Function of a recipe's mix; RecipeError if it is one of the user's own and cannot be had."""
    return own_function(mix.kind) if is_own(mix.kind) else FUNCTIONS[mix.kind]


def mixed(mix: Mix, first: Examples, second: Examples, rng: np.random.Generator) -> Examples:
    """`first` mixed with `second`.

    Parameters
    ----------
    mix : Mix
        A mix of the catalogue, or ``FILE.py:FUNCTION``.
    first, second : Examples
        Of the same length: each row is mixed with the row that stands at its place.
    rng : numpy.random.Generator
        Of this batch; the same in every process that holds a share of it.
    """
    return mix_function(mix)(first, second, rng, **mix.settings)
