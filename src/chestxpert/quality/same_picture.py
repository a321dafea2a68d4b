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
        Of two images, see `detail`.

    Returns
    -------
    whole, most : float
        Coefficients of determination, at most 1: of all pixels, and without the twentieth that fits worst.
    """
    # The change half way between both makes the fit right to second order.
    known, wanted = np.concatenate([first[:1], (first[1:] + second[1:]) / 2]), second[0]
    rest = wanted - _weights(known, wanted) @ known
    whole = _explained(rest, wanted)
    for _ in range(_STEPS):
        kept = np.argpartition(np.abs(rest), _KEPT)[:_KEPT]
        rest = wanted - _weights(known[:, kept], wanted[kept]) @ known
    return whole, _explained(rest[kept], wanted[kept])


def _weights(known: Floats, wanted: Floats) -> Floats:
    """Least squares, with a ridge that only keeps it solvable."""
    gram = known @ known.T
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram)
    return np.asarray(np.linalg.solve(gram, known @ wanted), dtype=np.float32)


def _explained(rest: Floats, wanted: Floats) -> float:
    return float(1 - rest @ rest / (wanted @ wanted))


def _blur(images: Floats, width: float) -> Floats:
    kernel = _gaussian(width)
    return np.asarray(kernel @ images @ kernel.T, dtype=np.float32)


@lru_cache(maxsize=4)
def _gaussian(width: float) -> npt.NDArray[np.float32]:
    """Matrix that blurs along an axis; each row adds up to 1, at the edges too."""
    places = np.arange(SIDE)
    kernel = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), dtype=np.float32)
