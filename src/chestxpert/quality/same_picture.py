"""Are two images one radiograph? Look-alikes of one patient must be told from copies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 64
_SMOOTH, _DETAIL, _MARGIN = 0.7, 3.0, 2  # in pixels of the 64 x 64 image


def agreement(first: Floats, second: Floats) -> Floats:
    """Share of one image's detail that the other explains when it may be re-exposed, shifted and stretched a little.

    The fine detail of `second` (what is left when a Gaussian blur of 3 px is taken off) is fitted by least squares as
    a multiple of that of `first` plus the first-order change under a shift and a stretch along each axis: the
    gradient, and the gradient times its place. Two exposures of one patient differ in breath and posture, which no
    such change explains; a copy that was re-encoded, brightened or cropped is explained nearly wholly.

    Parameters
    ----------
    first, second : float32 arrays of shape (n, 64, 64)
        Area averages in grey levels; none constant.

    Returns
    -------
    float32 array of shape (n,)
        Coefficient of determination, at most 1.
    """
    first, second = _standardised(_blur(first, _SMOOTH)), _standardised(_blur(second, _SMOOTH))
    # The gradient half way between both makes the first-order change right to second order.
    down, right = (np.asarray(change, dtype=np.float32) for change in np.gradient((first + second) / 2, axis=(1, 2)))
    place = np.linspace(-1, 1, SIDE, dtype=np.float32)
    changes = [first, down, right, down * place[:, None], right * place]
    known = np.stack([_detail(change) for change in changes], axis=1)
    wanted = _detail(second)[:, :, None]
    gram = known @ known.transpose(0, 2, 1)
    gram += 1e-6 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(len(changes), dtype=np.float32)
    weights = np.linalg.solve(gram, known @ wanted)
    rest = wanted - known.transpose(0, 2, 1) @ weights
    return np.asarray(1 - (rest**2).sum(axis=(1, 2)) / (wanted**2).sum(axis=(1, 2)), dtype=np.float32)


def _standardised(images: Floats) -> Floats:
    return np.asarray(images / images.std(axis=(1, 2), keepdims=True), dtype=np.float32)


def _detail(images: Floats) -> Floats:
    """What a blur takes away, without the margin, shape (n, pixels)."""
    inside = slice(_MARGIN, SIDE - _MARGIN)
    return np.asarray((images - _blur(images, _DETAIL))[:, inside, inside], dtype=np.float32).reshape(len(images), -1)


def _blur(images: Floats, width: float) -> Floats:
    kernel = _gaussian(width)
    return np.asarray(kernel @ images @ kernel.T, dtype=np.float32)


@lru_cache(maxsize=4)
def _gaussian(width: float) -> npt.NDArray[np.float32]:
    """Matrix that blurs along an axis; each row adds up to 1, at the edges too."""
    places = np.arange(SIDE)
    kernel = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), dtype=np.float32)
