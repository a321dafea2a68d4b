"""Predicting, and test-time augmentation: one prediction from several views of an image.

The plain image and K augmented views go through the network, and the probabilities of each output are averaged, all
with the same weight: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR
2015, section 3.2, who average the class posteriors of an image and its mirror image. In a hierarchy an output is a
conditional probability, so the mean is taken decision by decision, before any path is multiplied, and no finding
becomes likelier than a node above it.

Probabilities and not logits: a view has one bounded vote whatever the scale of a loss's logits (LDAM multiplies them by
30), and both the log-loss and the Brier score of the mean are never above the mean of the views' own (Jensen's
inequality; with the mean of logits that holds for the log-loss alone).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestxpert.models.classifier import Classifier
from chestxpert.progress import Tick
from chestxpert.training.engine import Engine
from chestxpert.training.loop import predict_batches
from chestxpert.training.sources import Source
from chestxpert.training.task import FloatArray, IntArray


def predict_logits(
    network: Classifier,
    source: Source,
    rows: IntArray,
    engine: Engine,
    views: int = 0,
    tick: Tick = lambda images: None,
) -> FloatArray:
    """Logits (n, M) of `rows`: of the plain images, or with `views` those of the probabilities' mean over the views.

    Parameters
    ----------
    views : augmented views beside the plain image, as `tta.views` of the recipe
    tick : called after each batch with the number of images that went through the network
    """
    seen = [_of_one_view(network, source, rows, engine, view, tick) for view in range(1 + views)]
    return seen[0] if views == 0 else mean_probability(seen)


def mean_probability(logits: Sequence[npt.ArrayLike]) -> FloatArray:
    """Logit of the mean over V views of sigmoid(logits).

    As log(mean p) - log(mean (1 - p)), each added up in log space, so that neither side rounds to 0 or 1.

    Parameters
    ----------
    logits : V arrays (n, M)

    Returns
    -------
    (n, M) float64 array
    """
    values = np.asarray(logits, dtype=np.float64)
    held = np.logaddexp.reduce(-np.logaddexp(0.0, -values), axis=0)
    failed = np.logaddexp.reduce(-np.logaddexp(0.0, values), axis=0)
    return np.asarray(held - failed)  # both lack the same log V


def _of_one_view(
    network: Classifier, source: Source, rows: IntArray, engine: Engine, view: int, tick: Tick
) -> FloatArray:
    parts = []
    with source.threads():  # as many as its training predicts with, for the same bits
        for part in predict_batches(network, source, rows, engine, view):
            parts.append(part)
            tick(len(part))
    return np.concatenate(parts).astype(np.float64)
