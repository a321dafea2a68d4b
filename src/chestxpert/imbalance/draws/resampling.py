"""ML-ROS and ML-RUS: rows with rare labels are copied, rows without any are dropped.

Charte, Rivera, del Jesus and Herrera, Addressing imbalance in multilabel classification: Measures and random resampling
algorithms, Neurocomputing 163, 2015. They resample a data set once; here each epoch is resampled anew from all rows of
the run, so that over the epochs no row is lost. Labels that no row carries have no ratio and count for nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.recipe.checks import require

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def imbalance_ratios(labels: BoolArray) -> FloatArray:
    """IRLbl of each label: rows of the most frequent label over rows of this one; NaN without any row."""
    counts = labels.sum(axis=0).astype(np.float64)
    ratios = np.full(len(counts), np.nan)
    np.divide(counts.max(initial=0.0), counts, out=ratios, where=counts > 0)
    return ratios


def mean_ratio(ratios: FloatArray) -> float:
    """MeanIR: the mean of IRLbl over the labels that have one; 1 if none has."""
    known = ratios[~np.isnan(ratios)]
    return float(known.mean()) if len(known) else 1.0


def minority_labels(labels: BoolArray) -> IntArray:
    """Labels whose IRLbl is above MeanIR."""
    ratios = imbalance_ratios(labels)
    return np.flatnonzero(np.nan_to_num(ratios, nan=0.0) > mean_ratio(ratios))


def ml_ros(labels: BoolArray, rng: np.random.Generator, progress: float, *, percent: float = 25.0) -> IntArray:
    """Every row once, and copies of rows with a minority label, at most `percent` % of the rows (ML-ROS).

    One after the other, each minority label has a random row of its own copied. A label leaves once its IRLbl, which
    the copies bring down, is no longer above the MeanIR that was at the start. There are as many copies as asked for,
    or fewer when all labels have left.
    """
    require(0 <= percent <= 1000, "sampling.draw.percent of ml-ros is 0 to 1000", percent)
    copies = _rows_to_copy(labels, int(len(labels) * percent / 100), rng)
    return np.concatenate([np.arange(len(labels)), copies])


def _rows_to_copy(labels: BoolArray, wanted: int, rng: np.random.Generator) -> IntArray:
    mean = mean_ratio(imbalance_ratios(labels))
    bags = {label: np.flatnonzero(labels[:, label]) for label in minority_labels(labels).tolist()}
    counts = labels.sum(axis=0)
    copies: list[int] = []
    while bags:
        for label, bag in list(bags.items()):
            if len(copies) == wanted:
                return np.array(copies, dtype=np.int64)
            row = int(bag[int(rng.random() * len(bag))])
            copies.append(row)
            counts += labels[row]
            if counts.max() / counts[label] <= mean:
                del bags[label]
    return np.array(copies, dtype=np.int64)


def ml_rus(labels: BoolArray, rng: np.random.Generator, progress: float, *, percent: float = 25.0) -> IntArray:
    """All rows but `percent` % of them, which are dropped at random among those without a minority label (ML-RUS).

    Fewer are dropped if there are not so many; a row with a minority label never is.
    """
    require(0 <= percent < 100, "sampling.draw.percent of ml-rus is at least 0 and below 100", percent)
    droppable = np.flatnonzero(~labels[:, minority_labels(labels)].any(axis=1))
    count = min(int(len(labels) * percent / 100), len(droppable))
    return np.delete(np.arange(len(labels)), rng.choice(droppable, size=count, replace=False))
