"""Logit adjustment by the prevalence in training."""

from __future__ import annotations

import numpy as np

from chestxpert.evaluation.calibration import Curve, Identity, Line
from chestxpert.evaluation.metrics import FloatArray


def adjust_logits(prevalence: FloatArray, tau: float) -> tuple[Curve, ...]:
    """The curve of each column: sigmoid(s - tau log(pi / (1 - pi))).

    Menon, Jayasumana, Rawat, Jain, Veit and Kumar, Long-tail learning via logit adjustment, ICLR 2021, equation 9:
    of several classes that exclude each other, take the one with the largest f_y(x) - tau log pi_y. A finding and its
    absence are two such classes, pi and 1 - pi of the training images, and the logit s of a sigmoid is f_1 - f_0. So
    the adjusted s is s - tau (log pi - log(1 - pi)), and with tau = 1 the cut at one half asks whether an image is
    likelier to show the finding than any training image was: it is the cut for the balanced error.

    Parameters
    ----------
    prevalence : (C,) array
        Share of training images with a known answer that hold it, NaN if there are none; for a node of a tree, among
        those that its decision asks.
    tau : float
    """
    return tuple(_adjust(float(share), tau) for share in prevalence)


def _adjust(share: float, tau: float) -> Curve:
    if not 0 < share < 1:  # NaN too
        return Identity("its training images are all alike, or none is known")
    return Line(1.0, -tau * float(np.log(share) - np.log1p(-share)))
