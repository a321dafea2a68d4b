"""Boxes from a map: what lies above a threshold, as connected regions, each in the smallest box that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from chestxpert.errors import UsageError
from chestxpert.evaluation.localization.geometry import iobb, iou
from chestxpert.evaluation.metrics import BoolArray, FloatArray

OVERLAPS = ("iou", "iobb")
AT = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.9)
"""T(IoU) and T(IoBB): Wang et al. 2017 report T(IoBB) of .1, .25, .5, .75 and .9 and T(IoU) of .1 to .7."""

WANG = "wang-2017"
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class BoxRule:
    """How a map becomes boxes.

    Parameters
    ----------
    name : str
        ``share=T``: cells of at least T times the map's maximum; negative values are none. ``wang-2017``: the map
        brought from its minimum and maximum to 0 and 255, cells of at least 60, and once more those of at least 180
        (Wang et al., ChestX-ray8, CVPR 2017, section 4). That is their rule as the paper words it; it was not checked
        against their code, nor against their figures.
    share : float
        T of ``share=T``, in (0, 1]; 0 for ``wang-2017``.
    """

    name: str
    share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> BoxRule:
        """Rule of a name; UsageError if there is none."""
        if text == WANG:
            return cls(WANG)
        word, _, value = text.partition("=")
        try:
            share = float(value)
        except ValueError:
            share = 0.0
        if word != "share" or not 0 < share <= 1:
            raise UsageError(f"Boxes are made by 'share=T' with T above 0 and at most 1, or '{WANG}', got '{text}'.")
        return cls(f"share={share:g}", share)

    def masks(self, heat: FloatArray) -> list[BoolArray]:
        """The cells above each of the rule's thresholds; no mask for a map that says nothing of places."""
        low, high = float(heat.min()), float(heat.max())
        if self.name == WANG:
            # Halves first: the span of very large values must not overflow.
            return [] if low == high else [(heat / 2 - low / 2) / (high / 2 - low / 2) * 255 >= t for t in (60, 180)]
        return [heat >= self.share * high] if high > 0 else []


def sweep_rules(main: BoxRule) -> list[BoxRule]:
    """The rules that are shown beside the chosen one, so that nobody must choose by the result."""
    rules = [*(BoxRule.parse(f"share={share}") for share in SHARES), BoxRule(WANG)]
    return rules if main in rules else [main, *rules]


def detected_boxes(heat: npt.ArrayLike, rule: BoxRule) -> FloatArray:
    """Boxes of the connected regions of a map; cells that touch at a corner are connected.

    Parameters
    ----------
    heat : (h, w) array of finite numbers
    rule : BoxRule

    Returns
    -------
    (m, 4) float64 array
        Edges in shares of the frame, each box once; none where no value is positive (``share=T``) or all are equal
        (``wang-2017``).
    """
    values = np.asarray(heat, dtype=np.float64)
    height, width = values.shape
    boxes = [
        (columns.start / width, rows.start / height, columns.stop / width, rows.stop / height)
        for mask in rule.masks(values)
        for rows, columns in ndimage.find_objects(ndimage.label(mask, structure=np.ones((3, 3)))[0])
    ]
    return np.unique(np.array(boxes, dtype=np.float64).reshape(-1, 4), axis=0)


@dataclass(frozen=True, eq=False)
class Found:
    """How many true boxes are found and how many detected boxes are false, for R sets of detected boxes.

    Parameters
    ----------
    shares, false : dicts of (R, T) float64 arrays
        For each of `OVERLAPS`: shares of the true boxes that are found at each T, and numbers of false boxes.
    best : dict of (R,) float64 arrays
        The best overlap with any detected box, a mean over the true boxes.
    """

    shares: dict[str, FloatArray]
    false: dict[str, FloatArray]
    best: dict[str, FloatArray]


def found(truth: npt.ArrayLike, detected: Sequence[FloatArray], at: Sequence[float] = AT) -> Found:
    """Count for several sets of detected boxes at once, which is what a sweep over rules asks for.

    A true box is found where any detected one overlaps it by more than T; a detected box is false where it overlaps no
    true box by more than T.

    Parameters
    ----------
    truth : (n, 4) array of edges
    detected : sequence of R (m, 4) arrays of edges
    at : sequence of float
        T of both overlaps.
    """
    edges = np.asarray(at, dtype=np.float64)
    every = np.concatenate([np.empty((0, 4)), *detected])
    ends = np.cumsum([len(boxes) for boxes in detected])
    owner = np.repeat(np.arange(len(detected)), [len(boxes) for boxes in detected])
    member = (owner == np.arange(len(detected))[:, np.newaxis]).astype(np.float64)
    result = Found({}, {}, {})
    for name, overlap in zip(OVERLAPS, (iou(truth, every), iobb(truth, every)), strict=True):
        best = np.array([part.max(axis=1, initial=0.0) for part in np.split(overlap, ends[:-1], axis=1)])
        result.shares[name] = (best[..., np.newaxis] > edges).mean(axis=1)
        result.false[name] = member @ (overlap.max(axis=0, initial=0.0)[:, np.newaxis] <= edges)
        result.best[name] = best.mean(axis=1)
    return result
