"""Who is in two data sets: by name of the data set and patient, or by image and patient, whatever the names."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import RunError
from chestxpert.labels import NIH15
from chestxpert.training.leak import overlap
from chestxpert.training.stored_run import OwnData


def cohort(source: str, images: str, patients: str, splits: str = "") -> Cohort:
    labels = np.zeros((len(images), len(NIH15)), dtype=bool)
    labels[:, -1] = True
    sides = [{"r": "train", "v": "val", "t": "test"}[side] for side in splits or "t" * len(images)]
    return Cohort(make_table(images, patients, labels, NIH15, split=sides, source=source), NIH15)


def met(own: Cohort | None, other: Cohort, own_info: Any = None, info: Any = None, source: str = "nih") -> Any:
    run = SimpleNamespace(folder="runs/x", environment={"source": source})
    data = None if own is None else OwnData(own, own_info or {})
    return overlap(run, data, other, info or {})  # type: ignore[arg-type]


OWN = cohort("nih", "abcd", "1234", "rrvt")


def test_patients_of_the_same_data_set_that_were_trained_or_validated_on_are_left_out() -> None:
    found = met(OWN, cohort("nih", "xyzw", "1345"))
    assert found.learnt.tolist() == [True, True, False, False]
    assert not found.external
    assert len(found.notes) == 2


def test_the_same_data_set_without_a_common_patient_is_not_external_either() -> None:
    found = met(OWN, cohort("nih", "xy", "56"))
    assert not found.learnt.any()
    assert not found.external


def test_equal_patient_numbers_of_two_data_sets_are_two_patients() -> None:
    found = met(OWN, cohort("ours", "xyzw", "1234"))
    assert not found.learnt.any()
    assert found.external
    assert found.notes == ()


def test_equal_images_of_equal_patients_are_the_same_whatever_the_data_set_is_called() -> None:
    found = met(OWN, cohort("copied", "axyz", "1123"))
    assert found.learnt.tolist() == [True, True, False, False]  # y is another image of patient 1
    assert not found.external


def test_two_simulations_are_two_data_sets() -> None:
    own, other = cohort("simulated", "abcd", "1234", "rrvt"), cohort("simulated", "abcd", "1234")
    seeds = [{"simulation": {"seed": seed}} for seed in (0, 1)]
    assert met(own, other, *seeds).external
    assert not met(own, other, seeds[0], seeds[0]).external
    assert not met(own, other).external  # nobody knows


def test_an_unknown_past_is_no_licence() -> None:
    with pytest.raises(RunError, match="--run-data"):
        met(None, cohort("nih", "ab", "12"))
    assert met(None, cohort("ours", "ab", "12")).external
