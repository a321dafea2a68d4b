"""What a table of predictions must satisfy; each check raises a PredictionsError that names the first offender."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chestxpert.errors import PredictionsError

SPLITS = ("train", "val", "test")


def check_columns(frame: pd.DataFrame, numeric: list[str]) -> None:
    """The columns are image_id, split and `numeric`, each once and no other."""
    expected = ["image_id", "split", *numeric]
    missing = [name for name in expected if name not in frame.columns]
    foreign = [str(name) for name in frame.columns if name not in expected]
    if missing or foreign or len(frame.columns) != len(expected):
        raise PredictionsError(
            "The predictions table has the wrong columns. "
            f"Missing: {', '.join(missing) or 'none'}; unexpected: {', '.join(foreign) or 'none'}."
        )


def check_rows(frame: pd.DataFrame) -> None:
    """Every image stands once, in a split that there is."""
    twice = frame["image_id"][frame["image_id"].duplicated()]
    if len(twice):
        raise PredictionsError(f"{len(twice)} images stand twice in the predictions, for example {twice.iloc[0]}.")
    unknown = sorted({str(name) for name in frame["split"].unique()} - set(SPLITS))
    if unknown:
        raise PredictionsError(f"The predictions name the splits {', '.join(unknown)}; there are {', '.join(SPLITS)}.")


def check_range(frame: pd.DataFrame, numeric: list[str]) -> None:
    """Every value of the columns `numeric` is a finite number in [0, 1]."""
    for name in numeric:
        if not pd.api.types.is_float_dtype(frame[name]):
            raise PredictionsError(f"Column '{name}' of the predictions holds {frame[name].dtype}, not real numbers.")
        values = frame[name].to_numpy(dtype=np.float64)
        bad = np.flatnonzero(~((values >= 0) & (values <= 1)))
        if len(bad):
            raise PredictionsError(
                f"{len(bad)} predictions of '{name}' are not probabilities in [0, 1], for example "
                f"{values[bad[0]]} for {frame['image_id'].iloc[bad[0]]}."
            )
