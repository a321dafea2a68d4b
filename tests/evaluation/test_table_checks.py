from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import LabelSpace

SPACE = LabelSpace("two", ("Mass", "No Finding"))


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"image_id": ["a", "b"], "split": ["val", "test"], "Mass": [0.25, 1.0], "No Finding": [0.75, 0.0]}
    )


def test_a_right_table_is_taken() -> None:
    assert len(Predictions(frame(), SPACE)) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 1.01])
def test_what_is_no_probability_is_named_with_its_image(value: float) -> None:
    bad = frame()
    bad.loc[1, "Mass"] = value
    with pytest.raises(PredictionsError, match=r"'Mass' are not probabilities.*for b"):
        Predictions(bad, SPACE)


def test_missing_and_foreign_columns_are_named() -> None:
    with pytest.raises(PredictionsError, match="Missing: Mass; unexpected: Masses"):
        Predictions(frame().rename(columns={"Mass": "Masses"}), SPACE)
    with pytest.raises(PredictionsError, match="unexpected: given:finding"):
        Predictions(frame().assign(**{"given:finding": 0.5}), SPACE)


def test_a_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(PredictionsError, match="wrong columns"):
        Predictions(pd.concat([frame(), frame()[["Mass"]]], axis=1), SPACE)


def test_an_image_that_stands_twice_is_named() -> None:
    with pytest.raises(PredictionsError, match=r"1 images stand twice.*example a"):
        Predictions(frame().assign(image_id=["a", "a"]), SPACE)


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(PredictionsError, match="splits holdout"):
        Predictions(frame().assign(split=["holdout", "test"]), SPACE)


def test_text_is_no_probability() -> None:
    with pytest.raises(PredictionsError, match="'Mass' of the predictions holds"):
        Predictions(frame().assign(Mass=["high", "low"]), SPACE)
