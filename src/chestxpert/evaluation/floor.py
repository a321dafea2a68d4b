"""The shortcut floor: what view, age and sex alone reach, without a look at any image.

Sick people are x-rayed lying down (AP), the old have other findings than the young. A network can read view, age and
sex off an image (Zech et al., PLoS Medicine 15, 2018; DeGrave et al., Nature Machine Intelligence 3, 2021), so a
recipe's figures are to be seen above what these alone give, not above 0.5.

A logistic regression a label, with scikit-learn's default ridge (C = 1), fitted on training rows whose label is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.log_odds import sigmoid
from chestxpert.evaluation.logistic import fit_logistic
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.predictions import Predictions

RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class Floor:
    """Predictions from a cohort's table alone.

    Parameters
    ----------
    predictions : Predictions
        For the validation and test rows.
    features : tuple of str
        What they are made from.
    unfitted : tuple of str
        Labels that the training rows gave no fit for; their share (or one half, where none is known) is predicted.
    """

    predictions: Predictions
    features: tuple[str, ...]
    unfitted: tuple[str, ...]


def table_features(cohort: Cohort) -> tuple[FloatArray, tuple[str, ...]]:
    """Columns that a table alone gives: view and sex as indicators, and age with its square.

    Ages are in standard deviations from the training rows' mean; an unknown age is that mean, and an indicator says so.
    A column that is the same in every training row is left out.

    Returns
    -------
    columns : (N, F) float64 array
        For every row of the cohort.
    names : F strings
    """
    table, train = cohort.table, cohort.rows("train")
    made = {
        f"{column}={value}": (table[column] == value).to_numpy(dtype=np.float64) for column, value in _values(table)
    }
    age = table["age"].to_numpy(dtype=np.float64)
    told = age[train][~np.isnan(age[train])]
    if len(told) and told.std() > 0:
        scaled = np.where(np.isnan(age), 0.0, (age - told.mean()) / told.std())
        made |= {"age": scaled, "age squared": scaled**2, "age unknown": np.isnan(age).astype(np.float64)}
    used = {name: column for name, column in made.items() if len(train) and np.ptp(column[train]) > 0}
    columns = np.column_stack(list(used.values())) if used else np.empty((len(table), 0))
    return np.asarray(columns, dtype=np.float64), tuple(used)


def _values(table: pd.DataFrame) -> list[tuple[str, str]]:
    return [(column, value) for column in ("view", "sex") for value in sorted(set(table[column]) - {""})]


def shortcut_floor(cohort: Cohort) -> Floor | None:
    """Fit on the training rows and predict validation and test; None where the table says nothing that differs.

    Parameters
    ----------
    cohort : Cohort
    """
    columns, names = table_features(cohort)
    if not names:
        return None
    train = cohort.rows("train")
    asked = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    # A table has few different rows, so a fit goes over those and how often each has a label and has not.
    cells, cell = np.unique(columns[train], axis=0, return_inverse=True)
    truth, known = cohort.labels(train), cohort.known(train)
    probs, unfitted = np.empty((len(asked), truth.shape[1])), []
    for column, label in enumerate(cohort.label_space.labels):
        use = known[:, column]
        held, told = (np.bincount(cell.ravel()[rows], minlength=len(cells)) for rows in (use & truth[:, column], use))
        each = np.repeat([True, False], len(cells))
        beta = fit_logistic(np.vstack([cells, cells]), each, RIDGE, weights=np.concatenate([held, told - held]))
        if np.isnan(beta).any():
            unfitted.append(label)
            probs[:, column] = truth[use, column].mean() if use.any() else 0.5
        else:
            probs[:, column] = sigmoid(beta[0] + columns[asked] @ beta[1:])
    split: npt.NDArray[np.object_] = cohort.table["split"].to_numpy(dtype=object)[asked]
    # Without validation images its thresholds are one half, as those of any predictions from elsewhere.
    predictions = Predictions.from_arrays(
        cohort.image_ids[asked], split, probs, cohort.label_space, partial=not len(cohort.rows("val"))
    )
    return Floor(predictions, names, tuple(unfitted))
