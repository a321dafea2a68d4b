from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import CXRLT20, NIH15, LabelSpace
from chestxpert.taxonomy import Taxonomy, study_taxonomy

MakePredictions = Callable[..., Predictions]


@pytest.mark.parametrize("hierarchical", [False, True])
def test_what_is_saved_comes_back_whole(
    tmp_path: Path, cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions, hierarchical: bool
) -> None:
    made = make_predictions(cohort, tree=tree if hierarchical else None)
    made.save(tmp_path / "predictions.parquet")
    read = Predictions.load(tmp_path / "predictions.parquet")
    np.testing.assert_array_equal(read.probs, made.probs)
    assert read.frame["image_id"].tolist() == made.frame["image_id"].tolist()
    assert read.frame["split"].tolist() == made.frame["split"].tolist()
    assert read.label_space == made.label_space
    assert read.taxonomy == made.taxonomy
    if hierarchical:
        np.testing.assert_array_equal(read.conditionals, made.conditionals)
    else:
        assert read.conditionals is None
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]


@pytest.mark.parametrize("hierarchical", [False, True])
def test_stored_predictions_are_those_that_were_read(
    tmp_path: Path, cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions, hierarchical: bool
) -> None:
    path = tmp_path / "predictions.parquet"
    make_predictions(cohort, tree=tree if hierarchical else None).save(path)
    read, stored = Predictions.load(path), Predictions.stored(path)
    handed_over = pickle.loads(pickle.dumps(stored))
    assert len(pickle.dumps(stored)) < len(pickle.dumps(read)) / 2  # the path goes, not the table
    for other in (stored, handed_over, stored.in_memory(), stored.aligned_once(cohort)):
        assert (other.label_space, other.taxonomy, other.partial) == (read.label_space, read.taxonomy, read.partial)
        pd.testing.assert_frame_equal(other.frame, read.frame)
        np.testing.assert_array_equal(other.probs, read.probs)
        for mine, its in zip(other.align(cohort, "test"), read.align(cohort, "test"), strict=True):
            np.testing.assert_array_equal(mine, its)


def test_stored_predictions_are_checked_when_they_are_read(
    tmp_path: Path, cohort: Cohort, make_predictions: MakePredictions
) -> None:
    path = tmp_path / "predictions.parquet"
    with pytest.raises(PredictionsError, match="no predictions at"):
        Predictions.stored(path)
    made = make_predictions(cohort)
    made.save(path)
    stored = Predictions.stored(path)
    table = pq.read_table(path)
    place = table.column_names.index("Mass")
    pq.write_table(table.set_column(place, "Mass", pa.array(made.probs[:, 0] + 7)), path)
    with pytest.raises(PredictionsError, match="'Mass' are not probabilities"):
        stored.align(cohort, "test")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(PredictionsError, match="not a readable"):
        Predictions.stored(path)


def test_predictions_aligned_once_know_other_cohorts_too(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    once, made = make_predictions(cohort, tree=tree).aligned_once(cohort), make_predictions(cohort, tree=tree)
    first = once.align(cohort, "val")
    assert once.align(cohort, "val") is first
    half = Cohort(cohort.table.iloc[::2].reset_index(drop=True), cohort.label_space)
    np.testing.assert_array_equal(once.align(half, "val")[0], made.align(half, "val")[0])
    validated = Predictions(made.frame[made.frame["split"] == "val"].reset_index(drop=True), cohort.label_space, tree)
    with pytest.raises(PredictionsError, match="have no test prediction"):
        validated.aligned_once(cohort).align(cohort, "test")


def test_columns_are_read_by_name_and_not_by_place(tmp_path: Path, cohort: Cohort, make_predictions: MakePredictions):
    made = make_predictions(cohort)
    path = tmp_path / "predictions.parquet"
    made.save(path)
    table = pq.read_table(path)
    shuffled = table.select(table.column_names[::-1]).replace_schema_metadata(table.schema.metadata)
    pq.write_table(shuffled, path)
    np.testing.assert_array_equal(Predictions.load(path).probs, made.probs)


def test_align_gives_the_cohorts_order_whatever_the_files(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    made = make_predictions(cohort, tree=tree)
    order = np.random.default_rng(0).permutation(len(made))
    shuffled = Predictions(made.frame.iloc[order].reset_index(drop=True), NIH15, tree)
    probs, given_parent = shuffled.align(cohort, "test")
    expected = made.frame.set_index("image_id").loc[cohort.image_ids[cohort.rows("test")]]
    np.testing.assert_array_equal(probs, expected[list(NIH15.labels)].to_numpy())
    assert given_parent is not None
    np.testing.assert_array_equal(given_parent, expected[[f"given:{node}" for node in tree.nodes]].to_numpy())


def test_align_names_the_images_that_are_missing(cohort: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort)
    lost = cohort.image_ids[cohort.rows("test")][2]
    fewer = Predictions(made.frame[made.frame["image_id"] != lost].reset_index(drop=True), NIH15)
    with pytest.raises(PredictionsError, match=f"1 of the cohort's .* test images .* {lost}"):
        fewer.align(cohort, "test")


def test_align_does_not_take_validation_predictions_for_test(cohort: Cohort, make_predictions: MakePredictions) -> None:
    frame = make_predictions(cohort).frame.assign(split="val")
    with pytest.raises(PredictionsError, match="have no test prediction"):
        Predictions(frame, NIH15).align(cohort, "test")


def test_align_refuses_another_label_space(cohort: Cohort) -> None:
    other = Predictions.from_arrays(["a"], "test", np.zeros((1, 20)), CXRLT20)
    with pytest.raises(PredictionsError, match=r"cxrlt20.*nih15"):
        other.align(cohort, "test")


def test_arrays_that_do_not_fit_are_refused(tree: Taxonomy) -> None:
    space = LabelSpace("two", ("Mass", "No Finding"))
    with pytest.raises(PredictionsError, match=r"shape \(2, 2\), but got \(2, 3\)"):
        Predictions.from_arrays(["a", "b"], "test", np.zeros((2, 3)), space)
    with pytest.raises(PredictionsError, match="2 image ids but 1 splits"):
        Predictions.from_arrays(["a", "b"], ["test"], np.zeros((2, 2)), space)
    with pytest.raises(PredictionsError, match="come together"):
        Predictions.from_arrays(["a"], "test", np.zeros((1, 2)), space, conditionals=np.zeros((1, 2)))
    with pytest.raises(PredictionsError, match="other labels"):
        Predictions(pd.DataFrame({"image_id": ["a"], "split": ["test"]}), space, tree)


def test_a_tree_of_another_label_space_survives(tmp_path: Path) -> None:
    tree = study_taxonomy(CXRLT20)
    rng = np.random.default_rng(0)
    given_parent = rng.random((3, len(tree.nodes)))
    made = Predictions.from_arrays(
        ["a", "b", "c"],
        ["val", "val", "test"],
        tree.marginals_from_conditionals(given_parent),
        CXRLT20,
        given_parent,
        tree,
    )
    made.save(tmp_path / "p.parquet")
    assert Predictions.load(tmp_path / "p.parquet").taxonomy == tree


def test_files_that_are_none_of_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="no predictions at"):
        Predictions.load(tmp_path / "missing.parquet")
    (tmp_path / "noise.parquet").write_bytes(b"PAR1 this is not parquet PAR1")
    with pytest.raises(PredictionsError, match="not a readable"):
        Predictions.load(tmp_path / "noise.parquet")
    pq.write_table(pa.table({"image_id": ["a"]}), tmp_path / "foreign.parquet")
    with pytest.raises(PredictionsError, match="not a readable"):
        Predictions.load(tmp_path / "foreign.parquet")


def test_half_a_file_is_refused(tmp_path: Path, cohort: Cohort, make_predictions: MakePredictions) -> None:
    path = tmp_path / "predictions.parquet"
    make_predictions(cohort).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PredictionsError, match="not a readable"):
        Predictions.load(path)
