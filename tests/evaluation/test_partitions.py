from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import UsageError
from chestxpert.evaluation.partitions import MOST_GROUPS, partitions
from chestxpert.labels import NIH15


def people(**columns: object) -> Cohort:
    """Seven images of five patients, all of them tested."""
    labels = np.zeros((7, 15), dtype=bool)
    labels[:4, NIH15.index("Effusion")] = True
    labels[4:, NIH15.index("No Finding")] = True
    patients = ["a", "a", "b", "c", "d", "d", "e"]
    ids = [f"{number}.png" for number in range(7)]
    return Cohort(make_table(ids, patients, labels, NIH15, split="test", source="nih", **columns), NIH15)


def groups(cohort: Cohort, column: str, rows: np.ndarray | None = None) -> dict[str, list[int]]:
    (part,) = partitions(cohort, cohort.rows("test") if rows is None else rows, [column])
    return {group: part.rows(group).tolist() for group in part.groups} | {"?": [part.unknown]}


def test_groups_by_a_column_leave_out_what_is_unknown() -> None:
    cohort = people(sex=["M", "M", "F", "", "F", "F", ""], view="PA")
    assert groups(cohort, "sex") == {"female": [2, 4, 5], "male": [0, 1], "?": [2]}
    assert groups(cohort, "view") == {"PA": list(range(7)), "?": [0]}


def test_age_goes_by_bands_whose_lower_end_belongs_to_them() -> None:
    cohort = people(age=[17.9, 18, 39, 40, 80, 95, np.nan])
    assert groups(cohort, "age") == {
        "0 to 17": [0],
        "18 to 39": [1, 2],
        "40 to 59": [3],
        "80 and over": [4, 5],
        "?": [1],
    }


def test_images_are_counted_among_the_rows_that_are_measured() -> None:
    cohort = people()
    assert groups(cohort, "images") == {"one image": [2, 3, 6], "several images": [0, 1, 4, 5], "?": [0]}
    assert groups(cohort, "images", np.array([0, 2, 4])) == {"one image": [0, 1, 2], "?": [0]}


def test_groups_by_a_label_follow_what_is_known_of_it() -> None:
    cohort = people()
    assert groups(cohort, "effusion") == {"with Effusion": [0, 1, 2, 3], "without Effusion": [4, 5, 6], "?": [0]}
    table = cohort.table.astype({"Mass": "boolean"})
    table.loc[2, "Mass"] = pd.NA
    partly = Cohort(table, NIH15)
    assert groups(partly, "Mass") == {"without Mass": [0, 1, 3, 4, 5, 6], "?": [1]}


def test_nothing_known_is_no_group() -> None:
    assert groups(people(), "sex") == {"?": [7]}
    assert groups(people(), "age") == {"?": [7]}


def test_columns_that_make_no_subgroups_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no column 'colour' to make subgroups by\. It has: images, image_id"):
        groups(people(), "colour")
    many = Cohort(
        make_table(
            [f"{n}.png" for n in range(MOST_GROUPS + 1)], [str(n) for n in range(MOST_GROUPS + 1)],
            np.eye(15, dtype=bool)[np.full(MOST_GROUPS + 1, 14)], NIH15, split="test", source="nih",
        ),
        NIH15,
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"'patient_id' has 13 different values, and subgroups are at most 12"):
        groups(many, "patient_id")
