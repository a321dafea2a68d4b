"""What a table says, and what may be concluded from it: never that what is missing does not hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.cohort.csv_rules import HOLDS, NOT, SILENT, UNCERTAIN, LabelRules, Rule, apply_rules
from chestxpert.labels import LabelSpace

SPACE = LabelSpace("small", ("Effusion", "Mass", "Nodule", "Hernia", "No Finding"))
RULES = LabelRules(
    SPACE,
    {
        "No Finding": Rule(("No Finding",)),
        "Pleural effusion": Rule(("Effusion",)),
        "Nodule/Mass": Rule((), ("Mass", "Nodule")),
        "blunting": Rule(leaves_open=("Effusion",)),
    },
)
COLUMNS = list(RULES.rules)


def said(rules: LabelRules = RULES, **cells: int) -> str:
    """Labels of one row as a word: + holds, - does not, ? unknown, in label order."""
    columns = list(rules.rules)
    marks = np.array([[cells.get(name.split()[0].split("/")[0].lower(), SILENT) for name in columns]], dtype=np.int8)
    result = apply_rules(rules, columns, marks)
    assert not (result.labels & ~result.known).any()
    return "".join(
        "?" if not known else "+" if label else "-"
        for label, known in zip(result.labels[0], result.known[0], strict=True)
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, "?????"),
        ({"pleural": HOLDS}, "+???-"),
        ({"pleural": NOT}, "-????"),
        ({"pleural": UNCERTAIN}, "?????"),
        ({"nodule": NOT}, "?--??"),
        ({"nodule": HOLDS}, "????-"),  # one of the two, so there is a finding
        ({"nodule": UNCERTAIN}, "?????"),
        ({"no": HOLDS}, "---?+"),  # by its definition; but Hernia is not asked for
        ({"no": HOLDS, "pleural": UNCERTAIN}, "?????"),  # what is called uncertain stays so
        ({"no": HOLDS, "nodule": UNCERTAIN}, "?????"),
        ({"no": NOT}, "?????"),  # for a reason of the data set's own, perhaps
        ({"no": NOT, "pleural": HOLDS}, "+???-"),
        ({"pleural": NOT, "blunting": HOLDS}, "?????"),
        ({"pleural": NOT, "blunting": NOT}, "-????"),
        ({"pleural": HOLDS, "blunting": HOLDS}, "+???-"),
    ],
)
def test_each_row_says_no_more_than_it_says(cells: dict[str, int], expected: str) -> None:
    assert said(**cells) == expected


FULL = LabelRules(SPACE, {name: Rule((name,)) for name in SPACE.labels}, complete=True)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"effusion": NOT, "mass": NOT, "nodule": NOT, "hernia": NOT}, "----+"),
        ({"effusion": NOT, "mass": NOT, "nodule": NOT, "hernia": NOT, "no": UNCERTAIN}, "----?"),
        ({"effusion": NOT, "mass": NOT, "nodule": NOT, "hernia": NOT, "no": NOT}, "----?"),
        ({"effusion": NOT, "mass": NOT, "nodule": NOT, "no": NOT}, "---?-"),  # so Hernia is what there is
        ({"effusion": NOT, "mass": NOT, "nodule": NOT}, "---??"),
        ({"no": HOLDS}, "----+"),
    ],
)
def test_a_table_of_all_findings_settles_no_finding(cells: dict[str, int], expected: str) -> None:
    assert said(FULL, **cells) == expected


def test_rows_that_deny_no_finding_and_every_finding_are_counted() -> None:
    marks = np.array([[NOT] * 5, [SILENT, SILENT, SILENT, SILENT, NOT], [HOLDS, NOT, NOT, NOT, NOT]], dtype=np.int8)
    assert apply_rules(FULL, list(FULL.rules), marks).undecided.tolist() == [True, False, False]


def test_no_finding_beside_a_finding_is_a_contradiction() -> None:
    marks = np.array([[HOLDS, HOLDS, SILENT, SILENT], [HOLDS, SILENT, HOLDS, SILENT]], dtype=np.int8)
    assert apply_rules(RULES, COLUMNS, marks).contradiction.tolist() == [True, True]


def test_two_columns_of_one_finding_must_both_deny_it() -> None:
    rules = LabelRules(SPACE, {"pleural effusion": Rule(("Effusion",)), "empyema": Rule(("Effusion",))})
    assert said(rules, pleural=NOT) == "?????"
    assert said(rules, pleural=NOT, empyema=NOT) == "-????"
    assert said(rules, pleural=NOT, empyema=HOLDS) == "+???-"


ANY_MARK = st.sampled_from([HOLDS, NOT, UNCERTAIN, SILENT])


@given(
    marks=st.lists(st.lists(ANY_MARK, min_size=5, max_size=5), min_size=1, max_size=6),
    rules=st.sampled_from([RULES, FULL]),
)
def test_the_cohorts_invariants_hold_whatever_a_table_says(marks: list[list[int]], rules: LabelRules) -> None:
    columns = list(rules.rules)
    array = np.array(marks, dtype=np.int8)[:, : len(columns)]
    result = apply_rules(rules, columns, array)
    rows = ~result.contradiction
    labels, known = result.labels[rows], result.known[rows]
    findings, none = labels[:, :4].any(axis=1), labels[:, 4]
    assert not (labels & ~known).any()
    assert not (none & findings).any()
    assert (known[:, 4] & ~none)[findings].all()
    denied = known[:, 4] & ~none
    assert (findings | ~known[:, :4].all(axis=1))[denied].all()


@given(marks=st.lists(ANY_MARK, min_size=5, max_size=5))
def test_nothing_that_is_missing_or_uncertain_becomes_false_by_itself(marks: list[int]) -> None:
    """Without a word on No Finding, a finding is known only where its own column says 1 or 0."""
    marks = [*marks[:4], int(SILENT)]
    result = apply_rules(FULL, list(FULL.rules), np.array([marks], dtype=np.int8))
    assert result.known[0, :4].tolist() == [mark in (HOLDS, NOT) for mark in marks[:4]]
    assert result.labels[0, :4].tolist() == [mark == HOLDS for mark in marks[:4]]
