"""Are two images one radiograph? Look-alikes of one patient must be told from copies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 64
_SMOOTH, _DETAIL, _MARGIN = 0.7, 3.0, 2  # in pixels of the 64 x 64 image


def detail(image: Floats) -> Floats:
    """Fine detail of an image, and how it changes to first order under a shift and a stretch along each axis.

    Detail is what is left when a Gaussian blur of 3 px is taken off. The change under a shift is the gradient, under
    a stretch the gradient times its place.

    Parameters
    ----------
    image : float32 array of shape (64, 64)
        Area averages; not constant. Brightness and contrast do not matter.

    Returns
    -------
    float32 array of shape (5, 3600)
        Detail, and its change under a shift down, right, and a stretch down, right; without the margin.
    """
    smooth = _blur(image, _SMOOTH)
    smooth = smooth / smooth.std()
    down, right = np.gradient(smooth)
    place = np.linspace(-1, 1, SIDE, dtype=np.float32)
    changes = np.stack([smooth, down, right, down * place[:, None], right * place])
    inside = slice(_MARGIN, SIDE - _MARGIN)
    fine = (changes - _blur(changes, _DETAIL))[:, inside, inside]
    return np.asarray(fine.reshape(len(changes), -1), dtype=np.float32)


def agreement(first: Floats, second: Floats) -> float:
    """Share of one image's detail that the other explains when it may be re-exposed, shifted and stretched a little.

    The detail of `second` is fitted by least squares as a multiple of that of `first` plus the changes. Two exposures
    of one patient differ in breath and posture, which no such change explains; a copy that was re-encoded,
    brightened or slightly cropped is explained nearly wholly.

    Parameters
    ----------
    first, second : float32 arrays of shape (5, 3600)
        Of two images, see `detail`.

    Returns
    -------
    float
        Coefficient of determination, from about 0 to 1.
    """
    # The change half way between both makes the fit right to second order.
    known = np.concatenate([first[:1], (first[1:] + second[1:]) / 2])
    gram, product = known @ known.T, known @ second[0]
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram)
    rest = second[0] - np.linalg.solve(gram, product) @ known
    return float(1 - rest @ rest / (second[0] @ second[0]))


def _blur(images: Floats, width: float) -> Floats:
    kernel = _gaussian(width)
    return np.asarray(kernel @ images @ kernel.T, dtype=np.float32)


@lru_cache(maxsize=4)
def _gaussian(width: float) -> npt.NDArray[np.float32]:
    """Matrix that blurs along an axis; each row adds up to 1, at the edges too."""
    places = np.arange(SIDE)
    kernel = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), dtype=np.float32)
