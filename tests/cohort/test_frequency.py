"""Findings fall into head, medium and tail by their share of the training images."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.cohort.frequency import GROUPS, frequency_groups, training_groups
from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import UsageError
from chestxpert.labels import NIH15

# Images of NIH's train_val with each finding, of 86,524.
NIH_TRAIN_VAL = {
    "No Finding": 50_500, "Infiltration": 13_782, "Effusion": 8_659, "Atelectasis": 8_280, "Nodule": 4_708,
    "Mass": 4_034, "Consolidation": 2_852, "Pneumothorax": 2_637, "Pleural_Thickening": 2_242, "Cardiomegaly": 1_707,
    "Emphysema": 1_423, "Edema": 1_378, "Fibrosis": 1_251, "Pneumonia": 876, "Hernia": 141,
}  # fmt: skip


def everyone(counts: dict[str, int], images: int) -> dict[str, int]:
    return dict.fromkeys(counts, images)


def test_both_ends_are_medium() -> None:
    counts = {"above": 101, "head": 100, "between": 50, "tail": 10, "below": 9, "none": 0}
    assert frequency_groups(counts, everyone(counts, 1000)) == {
        "above": "head", "head": "medium", "between": "medium", "tail": "medium", "below": "tail", "none": "tail",
    }  # fmt: skip


def test_the_full_data_set_has_all_three_groups() -> None:
    groups = frequency_groups(NIH_TRAIN_VAL, everyone(NIH_TRAIN_VAL, 86_524))
    assert [name for name, group in groups.items() if group == "head"] == ["No Finding", "Infiltration", "Effusion"]
    assert [name for name, group in groups.items() if group == "tail"] == ["Hernia"]
    assert list(groups) == list(NIH_TRAIN_VAL)


def test_cut_offs_of_nih_cxr_lt_leave_the_fourteen_findings_without_a_tail() -> None:
    known = everyone(NIH_TRAIN_VAL, 86_524)
    groups = frequency_groups(NIH_TRAIN_VAL, known, head=1000 / 68_058, tail=100 / 68_058)
    assert "tail" not in groups.values()


def test_the_share_is_that_of_the_images_whose_label_is_known() -> None:
    assert frequency_groups({"a": 20, "b": 20, "c": 0}, {"a": 1000, "b": 100, "c": 0}) == {
        "a": "medium", "b": "head", "c": "tail",
    }  # fmt: skip


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=30), st.integers(2, 50))
def test_groups_follow_the_order_of_shares_and_the_size_of_a_data_set_does_not_matter(
    numbers: list[int], factor: int
) -> None:
    counts = {str(place): number for place, number in enumerate(numbers)}
    groups = frequency_groups(counts, everyone(counts, 10_000))
    ranks = [GROUPS.index(groups[name]) for name in sorted(counts, key=lambda name: -counts[name])]
    assert ranks == sorted(ranks)
    larger = {name: factor * number for name, number in counts.items()}
    assert frequency_groups(larger, everyone(counts, 10_000 * factor)) == groups


@pytest.mark.parametrize(("head", "tail"), [(0.01, 0.1), (1.5, 0.1), (0.1, -0.1), (float("nan"), 0.1)])
def test_impossible_cut_offs_are_refused(head: float, tail: float) -> None:
    with pytest.raises(UsageError, match="Cut-offs"):
        frequency_groups({"a": 1}, {"a": 1}, head=head, tail=tail)


def test_no_finding_of_the_tables_is_missing_here(nih_tables: Path) -> None:
    import pandas as pd

    table = pd.read_csv(nih_tables / "Data_Entry_2017_v2020.csv.gz", usecols=["Image Index", "Finding Labels"])
    train_val = set(pd.read_csv(nih_tables / "train_val_list.txt.gz", header=None)[0])
    cells = table.loc[table["Image Index"].isin(train_val), "Finding Labels"]
    assert cells.str.split("|").explode().value_counts().to_dict() == NIH_TRAIN_VAL


def test_groups_of_a_cohort_count_original_training_images_alone() -> None:
    """Of 100 training images: Effusion on 11, Mass on 10, Hernia on none; copies and test images would change that."""
    names = [f"{number}.png" for number in range(100)]
    labels = np.zeros((160, len(NIH15)), dtype=bool)
    labels[:11, NIH15.index("Effusion")] = labels[11:21, NIH15.index("Mass")] = True
    labels[100:, NIH15.index("Hernia")] = True  # 30 copies and 30 test images
    labels[:, NIH15.index("No Finding")] = ~labels.any(axis=1)
    ids = [*names, *(f"copy-{number}.png" for number in range(30)), *(f"test-{number}.png" for number in range(30))]
    table = make_table(
        ids, ids, labels, NIH15, split=["train"] * 130 + ["test"] * 30, origin=[""] * 100 + ["99.png"] * 30 + [""] * 30
    )
    groups = training_groups(Cohort(table, NIH15))
    assert list(groups) == list(NIH15.findings)
    assert (groups["Effusion"], groups["Mass"], groups["Hernia"]) == ("head", "medium", "tail")
