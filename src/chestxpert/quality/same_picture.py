"""Are two images one radiograph? Look-alikes of one patient must be told from copies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 64
_SMOOTH, _DETAIL, _MARGIN = 0.7, 3.0, 2  # in pixels of the 64 x 64 image
_KEPT = round(0.95 * (SIDE - 2 * _MARGIN) ** 2)  # pixels that fit best
_STEPS = 2


def details(images: Floats) -> Floats:
    """Fine detail of images, and how it changes to first order under a shift and a stretch along each axis.

    Detail is what is left when a Gaussian blur of 3 px is taken off. The change under a shift is the gradient, under
    a stretch the gradient times its place.

    Parameters
    ----------
    images : float32 array of shape (n, 64, 64)
        Area averages; none constant. Brightness and contrast do not matter.

    Returns
    -------
    float32 array of shape (n, 5, 3600)
        Detail, and its change under a shift down, right, and a stretch down, right; without the margin.
    """
    smooth = _blur(images, _SMOOTH)
    smooth = smooth / smooth.std(axis=(1, 2), keepdims=True)
    down, right = np.gradient(smooth, axis=(1, 2))
    place = np.linspace(-1, 1, SIDE, dtype=np.float32)
    changes = np.stack([smooth, down, right, down * place[:, None], right * place], axis=1)
    inside = slice(_MARGIN, SIDE - _MARGIN)
    fine = (changes - _blur(changes, _DETAIL))[..., inside, inside]
    return np.ascontiguousarray(fine.reshape(*changes.shape[:2], -1), dtype=np.float32)


def agreement(first: Floats, second: Floats) -> tuple[float, float]:
    """Share of one image's detail that the other explains when it may be re-exposed, shifted and stretched a little.

    The detail of `second` is fitted by least squares as a multiple of that of `first` plus the changes. Two exposures
    of one patient differ in breath and posture, which no such change explains; a copy that was re-encoded,
    brightened or slightly cropped is explained nearly wholly. A marker or burnt-in text that one of them lacks is
    not: so the fit is made again without the pixels that fit worst (least trimmed squares, Rousseeuw, JASA 79, 1984,
    by concentration steps).

    Parameters
    ----------
    first, second : float32 arrays of shape (5, 3600)
        Of two images, see `details`.

    Returns
    -------
    whole, most : float
        Coefficients of determination, at most 1: of all pixels, and without the twentieth that fits worst.
    """
    # Five rows explain the last. The change half way between both makes the fit right to second order.
    rows = np.concatenate([first[:1], (first[1:] + second[1:]) / 2, second[:1]])
    weights, whole = _fit(rows)
    for _ in range(_STEPS):
        rest = np.abs(np.einsum("i,ij->j", weights, rows))
        weights, most = _fit(rows * (rest <= np.partition(rest, _KEPT - 1)[_KEPT - 1]))
    return whole, most


def _fit(rows: Floats) -> tuple[Floats, float]:
    """Weights whose sum over all rows is what the others do not explain of the last, and the share they explain."""
    gram = (rows @ rows.T).astype(np.float64)
    known, shared = gram[:-1, :-1], gram[:-1, -1]
    ridge = 1e-6 * np.trace(known) * np.eye(len(known))  # only keeps it solvable
    found = np.linalg.solve(known + ridge, shared)
    rest = max(0.0, gram[-1, -1] - 2 * found @ shared + found @ known @ found)  # of a perfect fit, rounding may be left
    return np.append(-found, 1).astype(np.float32), float(1 - rest / gram[-1, -1])


def _blur(images: Floats, width: float) -> Floats:
    """Blur along the last two axes, as two large products: small ones would start threads that wait for each other."""
    kernel = _gaussian(width)
    across = (images.reshape(-1, SIDE) @ kernel.T).reshape(images.shape).swapaxes(-1, -2)
    return np.asarray((across.reshape(-1, SIDE) @ kernel.T).reshape(images.shape).swapaxes(-1, -2), dtype=np.float32)


@lru_cache(maxsize=4)
def _gaussian(width: float) -> npt.NDArray[np.float32]:
    """Matrix that blurs along an axis; each row adds up to 1, at the edges too."""
    places = np.arange(SIDE)
    kernel = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), dtype=np.float32)
