"""Which rows are copied: training rows alone, whatever the cohort and whatever is wished."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.cohort.table import SPLITS, Cohort, make_table
from chestxpert.copies.choice import (
    STUDY_COPIES,
    STUDY_IMAGES,
    Wish,
    goals,
    make_wish,
    rows_to_copy,
    study_copies,
)
from chestxpert.errors import DataError, LabelError, UsageError
from chestxpert.imbalance.sampling import rare_findings
from chestxpert.labels import CXRLT20, NIH15
from chestxpert.recipe import load_recipe
from chestxpert.training.rows import training_rows


def random_cohort(seed: int, patients: int = 40) -> Cohort:
    """A cohort of some three images a patient, splits mixed over the rows, a long tail of findings."""
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.repeat(np.arange(patients), rng.integers(1, 6, patients)))
    labels = rng.random((len(owner), len(NIH15))) < np.geomspace(0.4, 0.03, len(NIH15))
    labels[:, -1] = ~labels[:, :-1].any(axis=1)
    side = rng.choice(SPLITS, patients)
    side[:2] = "train"
    ids = [f"{patient}_{row}.png" for row, patient in enumerate(owner)]
    return Cohort(make_table(ids, map(str, owner), labels, NIH15, split=side[owner], source="nih"), NIH15)


WISHES = st.one_of(
    st.builds(Wish, st.floats(0.01, 0.9), st.just({}), st.integers(1, 4)),
    st.builds(
        Wish,
        st.none(),
        st.dictionaries(st.sampled_from(NIH15.labels), st.integers(1, 30), min_size=1),
        st.integers(1, 4),
    ),
)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), wish=WISHES)
def test_only_training_rows_are_ever_copied(seed: int, wish: Wish) -> None:
    cohort = random_cohort(seed)
    try:
        rows = rows_to_copy(cohort, wish, seed)
    except DataError:
        return
    assert set(cohort.table["split"].iloc[rows]) == {"train"}
    others = cohort.patients[cohort.table["split"] != "train"]
    assert not set(cohort.patients[rows]) & set(others)
    assert np.array_equal(rows, np.sort(rows))
    assert np.bincount(rows).max() <= wish.max_copies
    served = [NIH15.index(name) for name in goals(cohort, wish)]
    assert cohort.labels(rows)[:, served].any(axis=1).all()


@pytest.mark.parametrize("seed", [0, 7])
def test_a_target_copies_the_rows_that_a_recipe_would_repeat(seed: int) -> None:
    cohort = random_cohort(3)
    recipe = load_recipe("flat-basic", ["sampling.oversample={target: 0.2, max_copies: 4}"])
    everything = np.ones(len(cohort), dtype=bool)
    repeated = training_rows(recipe, cohort, everything, seed)[len(cohort.rows("train")) :]
    assert len(repeated) > 5
    assert np.array_equal(rows_to_copy(cohort, Wish(0.2, {}, 4), seed), repeated)


def test_goals_are_what_the_summary_measures_against() -> None:
    cohort = random_cohort(1)
    before, train = cohort.counts("train"), len(cohort.rows("train"))
    assert goals(cohort, Wish(None, {"Hernia": 4, "Edema": 3}, 9)) == {
        "Edema": before["Edema"] + 3,
        "Hernia": before["Hernia"] + 4,
    }
    by_share = goals(cohort, Wish(0.3, {}, 9))
    assert tuple(by_share) == rare_findings(NIH15)
    assert by_share["Hernia"] == int(np.ceil(0.3 * train))
    assert by_share["Cardiomegaly"] == max(by_share["Hernia"], before["Cardiomegaly"])


def test_the_studys_numbers_are_its_own_and_are_scaled() -> None:
    assert sum(STUDY_COPIES.values()) == 15_460 > 13_731  # a copy counts for every finding it carries
    assert study_copies(CXRLT20, STUDY_IMAGES) == STUDY_COPIES
    tenth = study_copies(NIH15, 8_652)
    assert tenth == {
        "Fibrosis": 240, "Emphysema": 238, "Edema": 180, "Pneumonia": 110, "Hernia": 100, "Pleural_Thickening": 58,
        "Cardiomegaly": 39,
    }  # fmt: skip
    assert study_copies(NIH15, 20) == {"Fibrosis": 1, "Emphysema": 1}


def test_one_way_is_chosen_at_a_time() -> None:
    assert make_wish(NIH15, 100, None, None, False, 10) == Wish(0.05, {}, 10)
    assert make_wish(NIH15, 100, None, {"pleural thickening": 4}, False, 2) == Wish(None, {"Pleural_Thickening": 4}, 2)
    assert make_wish(NIH15, STUDY_IMAGES, None, None, True, 10).counts["Hernia"] == 1_005
    for several in [(0.1, {"Hernia": 1}, False), (0.1, None, True), (None, {"Hernia": 1}, True)]:
        with pytest.raises(UsageError, match="not several"):
            make_wish(NIH15, 100, *several, 10)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"target": 0.0}, UsageError, "between 0 and 1"),
        ({"target": 1.0}, UsageError, "between 0 and 1"),
        ({"max_copies": 0}, UsageError, "at least 1, but got 0"),
        ({"copies": {"Hernia": 0}}, UsageError, "Hernia=0"),
        ({"copies": {}}, UsageError, "got none"),
        ({"copies": {"Infiltrate": 1, "Infiltration": 2}}, UsageError, "each once"),
        ({"copies": {"Herna": 1}}, LabelError, "Did you mean 'Hernia'"),
    ],
)
def test_wishes_that_mean_nothing_are_refused(arguments: dict[str, object], error: type, words: str) -> None:
    given = SimpleNamespace(**{"target": None, "copies": None, "max_copies": 10} | arguments)
    with pytest.raises(error, match=words):
        make_wish(NIH15, 100, given.target, given.copies, False, given.max_copies)


def test_copies_of_copies_and_nothing_at_all_are_refused() -> None:
    cohort = random_cohort(2)
    with pytest.raises(DataError, match="nothing to copy"):
        rows_to_copy(cohort, Wish(0.001, {}, 3), 0)
    table = cohort.table.copy()
    first, second = cohort.rows("train")[:2]
    table.loc[first, "origin"] = table.loc[second, "image_id"]
    with pytest.raises(DataError, match="1 images of this data set are augmented copies already"):
        rows_to_copy(Cohort(table, NIH15), Wish(0.5, {}, 3), 0)
