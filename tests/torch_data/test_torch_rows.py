"""Rows: unknown labels are NaN, joined rows keep their order."""

from types import SimpleNamespace

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.dataset import Dataset
from chestxpert.errors import DataError
from chestxpert.labels import LabelSpace
from chestxpert.torch_data.rows import Rows

SPACE = LabelSpace("two", ("Mass", "Hernia"), no_finding=None)


def test_a_label_that_the_table_leaves_open_is_nan() -> None:
    labels = np.array([[True, False], [False, True], [False, True]])
    known = np.array([[True, True], [False, True], [True, True]])
    table = make_table(["a", "b", "c"], ["1", "1", "2"], labels, SPACE, known=known, split="train")
    cohort = Cohort(table, SPACE)
    targets = Rows.from_cohort(cohort).targets
    np.testing.assert_array_equal(targets, [[1, 0], [np.nan, 1], [0, 1]])


def test_rows_taken_apart_and_joined_are_the_rows(room: SimpleNamespace) -> None:
    rows = Rows.from_cohort(Dataset.load(room.with_copies).cohort)
    parts = [rows.take(rows.of_split(split)) for split in ("train", "val", "test")]
    joined = Rows.join(parts)
    back = np.argsort(np.concatenate([rows.of_split(split) for split in ("train", "val", "test")]))
    again = joined.take(back)
    assert again.image_ids.tolist() == rows.image_ids.tolist()
    assert again.origins.tolist() == rows.origins.tolist()
    assert np.array_equal(again.targets, rows.targets)
    with pytest.raises(DataError, match="more than once"):
        Rows.join([rows, parts[1]])
