"""No patient is ever on two sides, and the sides are alike in findings."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.cohort.nih import OfficialLists
from chestxpert.cohort.source import Source, split_source
from chestxpert.cohort.splits import cut_validation, hold_out, official_sides, random_split
from chestxpert.cohort.table import make_table
from chestxpert.errors import CohortError
from chestxpert.labels import NIH15


def _people(
    seed: int, patients: int, images: int = 4, labels: int = 5
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """Patients with 1 to `images` images each, in mixed order, and their findings, the last of them rare."""
    rng = np.random.default_rng(seed)
    ids = np.repeat([f"p{i}" for i in range(patients)], rng.integers(1, images + 1, patients)).astype(object)
    ids = rng.permutation(ids)
    return ids, rng.random((len(ids), labels)) < np.geomspace(0.4, 0.02, labels)


@given(seed=st.integers(0, 10_000), patients=st.integers(3, 60), fraction=st.floats(0.05, 0.9))
@settings(max_examples=60, deadline=None)
def test_random_split_parts_patients(seed: int, patients: int, fraction: float) -> None:
    ids, labels = _people(seed, patients)
    split = random_split(ids, labels, fraction, seed)
    sides = {patient: {s for p, s in zip(ids, split, strict=True) if p == patient} for patient in set(ids)}
    assert all(len(side) == 1 for side in sides.values())
    assert set(split) == {"train", "val", "test"}


@given(seed=st.integers(0, 10_000), patients=st.integers(3, 60))
@settings(max_examples=60, deadline=None)
def test_validation_is_cut_by_patient_and_test_stays_test(seed: int, patients: int) -> None:
    ids, labels = _people(seed, patients)
    test_patients = {f"p{i}" for i in range(0, patients, 3)}
    sides = np.array(["test" if p in test_patients else "train_val" for p in ids], dtype=object)
    if len(set(ids) - test_patients) < 2:
        return
    split = cut_validation(sides, ids, labels, 0.2, seed)
    assert set(ids[split == "test"]) == test_patients & set(ids)
    assert not set(ids[split == "val"]) & set(ids[split == "train"])
    assert {"train", "val"} <= set(split)


def test_split_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    ids, labels = _people(1, 200)
    first = hold_out(ids, labels, 0.2, np.random.default_rng(5))
    order = np.random.default_rng(9).permutation(len(ids))
    again = hold_out(ids[order], labels[order], 0.2, np.random.default_rng(5))
    np.testing.assert_array_equal(first[order], again)
    assert (first != hold_out(ids, labels, 0.2, np.random.default_rng(6))).any()


def test_held_out_patients_are_alike_in_findings_and_number_of_images() -> None:
    ids, labels = _people(2, 1500, images=12)
    held = hold_out(ids, labels, 0.2, np.random.default_rng(0))
    assert abs(held.mean() - 0.2) < 0.02
    share = labels[held].sum(axis=0) / labels.sum(axis=0)
    assert np.abs(share - 0.2).max() < 0.06

    def carriers(chosen: npt.NDArray[np.bool_]) -> int:
        return len(set(ids[chosen & labels[:, 4]]))  # the rarest finding, counted in patients, is held out exactly

    assert abs(carriers(held) - 0.2 * carriers(np.ones_like(held))) <= 1


@pytest.mark.parametrize("patients", [0, 1])
def test_too_few_patients_is_a_clear_error(patients: int) -> None:
    with pytest.raises(CohortError, match="too few"):
        hold_out(np.array(["p"] * patients, dtype=object), np.ones((patients, 3), bool), 0.2, np.random.default_rng(0))


def test_two_patients_are_enough_to_hold_one_out() -> None:
    held = hold_out(np.array(["a", "a", "b"], dtype=object), np.ones((3, 2), bool), 0.2, np.random.default_rng(0))
    assert held.tolist() in ([True, True, False], [False, False, True])


def test_lists_that_part_a_patient_are_refused() -> None:
    patients = np.array(["1", "1", "2", "3"], dtype=object)
    sides = np.array(["train_val", "test", "train_val", "train_val"], dtype=object)
    with pytest.raises(CohortError, match="1 patients into training and into testing, for example 1"):
        cut_validation(sides, patients, np.ones((4, 2), bool), 0.2, 0)


@pytest.mark.parametrize("side", ["train_val", "test"])
def test_an_empty_side_is_refused(side: str) -> None:
    sides = np.array([side] * 4, dtype=object)
    with pytest.raises(CohortError, match="None of the 4 images"):
        cut_validation(sides, np.array(list("abcd"), dtype=object), np.ones((4, 2), bool), 0.2, 0)


def test_official_sides() -> None:
    lists = OfficialLists(frozenset({"a", "b"}), frozenset({"c"}))
    assert official_sides(np.array(["c", "x", "a"], dtype=object), lists).tolist() == ["test", "", "train_val"]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(CohortError, match="between 0 and 1"):
        hold_out(np.array(["a", "b"], dtype=object), np.ones((2, 2), bool), fraction, np.random.default_rng(0))


def test_an_unknown_label_counts_as_not_carried(hide: Callable[..., np.ndarray]) -> None:
    """A table with unknown labels is split as one in which they are absent."""
    ids, labels = _people(3, 60, labels=14)
    labels = np.column_stack([labels, ~labels.any(axis=1)])
    known = hide(labels, NIH15, 0.3)
    names = [f"{number}.png" for number in range(len(ids))]
    frame = make_table(names, ids, labels, NIH15, known=known)
    source = Source("nih", NIH15, frame, None, pd.DataFrame(), [])
    split = split_source(source, frame, "random", 0.25, 7).frame["split"].to_numpy(dtype=object)
    np.testing.assert_array_equal(split, random_split(ids, labels & known, 0.25, 7))
