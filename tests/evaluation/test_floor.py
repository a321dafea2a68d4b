from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from chestxpert.cohort.source import read_source, split_source
from chestxpert.cohort.table import Cohort, make_table
from chestxpert.evaluation.floor import shortcut_floor, table_features
from chestxpert.evaluation.metrics import auroc
from chestxpert.labels import NIH15

EFFUSION = NIH15.index("Effusion")


def people(n: int = 600, hide: bool = False, **columns: object) -> Cohort:
    """Patients whose view, sex and age say something of Effusion, and nothing of the rest."""
    rng = np.random.default_rng(0)
    given: dict[str, object] = {
        "view": rng.choice(["AP", "PA", ""], n, p=[0.4, 0.5, 0.1]),
        "sex": rng.choice(["M", "F"], n),
        "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(1, 95, n)),
    } | columns
    lean = 1.5 * (np.asarray(given["view"]) == "AP") + np.nan_to_num(np.asarray(given["age"], dtype=float) / 50) - 2
    labels = rng.random((n, 15)) < 0.1
    labels[:, EFFUSION] = rng.random(n) < 1 / (1 + np.exp(-lean))
    labels[:, 14] = ~labels[:, :14].any(axis=1)
    known = np.ones_like(labels)
    if hide:
        known[::3, EFFUSION] = False
    split = np.array(["train", "train", "val", "test"])[np.arange(n) % 4]
    ids = [f"{number}.png" for number in range(n)]
    return Cohort(
        make_table(ids, ids, labels, NIH15, known=known if hide else None, split=split, source="nih", **given), NIH15
    )


@pytest.mark.parametrize("hide", [False, True])
def test_it_is_scikit_learns_regression_on_the_known_training_rows(hide: bool) -> None:
    cohort = people(hide=hide)
    assert cohort.all_known != hide
    floor = shortcut_floor(cohort)
    assert floor is not None
    columns, names = table_features(cohort)
    assert names == floor.features
    assert names == ("view=AP", "view=PA", "sex=F", "sex=M", "age", "age squared", "age unknown")
    train, test = cohort.rows("train"), cohort.rows("test")
    train = train[cohort.known(train)[:, EFFUSION]]
    oracle = LogisticRegression(tol=1e-10, max_iter=10_000).fit(columns[train], cohort.labels(train)[:, EFFUSION])
    probs, _ = floor.predictions.align(cohort, "test")
    np.testing.assert_allclose(probs[:, EFFUSION], oracle.predict_proba(columns[test])[:, 1], atol=1e-5)


def test_it_finds_what_the_table_gives_away_and_no_more() -> None:
    cohort = people(4000)
    floor = shortcut_floor(cohort)
    assert floor is not None
    rows = cohort.rows("test")
    areas = auroc(cohort.labels(rows), floor.predictions.align(cohort, "test")[0])
    assert areas[EFFUSION] > 0.65
    others = [column for column in range(14) if column != EFFUSION]
    assert areas[others].mean() == pytest.approx(0.5, abs=0.03)


def test_no_test_row_has_a_say() -> None:
    cohort = people()
    floor = shortcut_floor(cohort)
    rows = cohort.rows("test")
    table = cohort.table.copy()
    flipped = cohort.labels(rows)
    flipped[:, :14] = ~flipped[:, :14]
    flipped[:, 14] = ~flipped[:, :14].any(axis=1)
    for column, label in enumerate(NIH15.labels):
        table.loc[rows, label] = flipped[:, column]
    again = shortcut_floor(Cohort(table, NIH15))
    assert floor is not None
    assert again is not None
    np.testing.assert_array_equal(again.predictions.probs, floor.predictions.probs)


def test_a_label_without_an_example_is_predicted_by_its_share() -> None:
    cohort = people()
    table = cohort.table.copy()
    table["Hernia"] = False
    table["No Finding"] = ~table[list(NIH15.findings)].any(axis=1)
    floor = shortcut_floor(Cohort(table, NIH15))
    assert floor is not None
    assert floor.unfitted == ("Hernia",)
    assert not floor.predictions.probs[:, NIH15.index("Hernia")].any()


def test_a_table_that_says_nothing_gives_no_floor() -> None:
    assert shortcut_floor(people(view="PA", sex="", age=np.nan)) is None


def test_on_the_official_split_view_age_and_sex_alone_reach_what_is_known(nih_tables: Path) -> None:
    source = read_source(nih_tables, NIH15)
    split = split_source(source, source.frame, "official", 0.2, 0)
    cohort = Cohort(split.frame.reset_index(drop=True), NIH15)
    floor = shortcut_floor(cohort)
    assert floor is not None
    rows = cohort.rows("test")
    areas = auroc(cohort.labels(rows), floor.predictions.align(cohort, "test")[0])
    assert areas[:14].mean() == pytest.approx(0.6, abs=0.01)
