"""What the tables say that cannot be right, or is unusual."""

import numpy as np
import pytest

from chestxpert.cohort.rejects import Reject
from chestxpert.quality.table_checks import ages, bit_depths, sex_changes, shapes, undecodable
from quality.making import MakeStore, make_cohort

IDS = ["a.png", "b.png", "c.png", "d.png", "e.png"]
BLACK = np.zeros((5, 16, 16), np.uint8)


def test_only_ages_above_100_and_below_0_are_odd() -> None:
    table = ages(make_cohort(IDS, age=[100.0, 100.5, np.nan, -1.0, 0.0]))
    assert table["image_id"].tolist() == ["b.png", "d.png"]
    assert table["value"].tolist() == [100.5, -1.0]
    assert table["detail"].tolist() == ["The table says 100.5 years.", "The table says -1 years."]


def test_a_patient_of_two_sexes_is_one_remark() -> None:
    cohort = make_cohort(IDS, patients=["1", "2", "1", "1", "2"], sex=["M", "F", "F", "M", ""])
    (row,) = sex_changes(cohort).to_dict("records")
    assert (row["image_id"], row["other"]) == ("c.png", "a.png")
    assert row["detail"] == "Patient 1 is F in 1 images and M in 2 images."


def test_an_unknown_sex_is_no_change() -> None:
    assert sex_changes(make_cohort(IDS, patients=["1"] * 5, sex=["M", "", "M", "", "M"])).empty


def test_files_that_are_not_square(make_store: MakeStore) -> None:
    store = make_store(BLACK, IDS[::-1], width=[10, 20, 30, 40, 50], height=[10, 20, 60, 40, 25])
    table = shapes(make_cohort(IDS), store)
    assert table[["image_id", "value"]].to_numpy().tolist() == [["a.png", 2.0], ["c.png", 0.5]]
    assert table["detail"][0] == "The file has 50 x 25 pixels."


@pytest.mark.parametrize(
    ("bits", "odd"),
    [([8, 8, 16, 8, 1], ["c.png", "e.png"]), ([16, 16, 16, 8, 16], ["d.png"]), ([8] * 5, []), ([1] * 5, IDS)],
)
def test_files_of_another_depth_than_most_or_of_few_bits(
    bits: list[int], odd: list[str], make_store: MakeStore
) -> None:
    table = bit_depths(make_cohort(IDS), make_store(BLACK, IDS, bits=bits))
    assert table["image_id"].tolist() == odd


def test_an_older_store_does_not_say_depths_and_that_is_said(make_store: MakeStore) -> None:
    (row,) = bit_depths(make_cohort(IDS), make_store(BLACK, IDS)).to_dict("records")
    assert (row["check"], row["image_id"]) == ("bit-depth", "")
    assert row["detail"].startswith("Not made: ")


def test_only_undecodable_files_are_taken_from_the_rejects() -> None:
    rejects = [Reject("x.png", "undecodable", "cut short"), Reject("y.png", "missing-image", "no file")]
    assert undecodable(rejects)[["image_id", "detail"]].to_numpy().tolist() == [["x.png", "cut short"]]
