"""A cohort keeps its invariants, however it is made."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.cohort.table import COLUMNS, Cohort, make_table
from chestxpert.errors import CohortError
from chestxpert.labels import CXRLT20, NIH15, LabelSpace


def _table(space: LabelSpace = NIH15) -> pd.DataFrame:
    """Six images of four patients, two a split."""
    labels = np.array([space.encode(names) for names in (
        ["Effusion"], ["No Finding"], ["Mass", "Hernia"], ["No Finding"], ["Nodule"], ["Effusion", "Mass"],
    )])  # fmt: skip
    return make_table(
        [f"{n}.png" for n in "abcdef"], list("112344"), labels, space,
        split=["train", "train", "val", "val", "test", "test"], source="nih", sex="F", view="PA",
        age=[50, 51, 2, 3, np.nan, 5],
    )  # fmt: skip


def test_columns_are_the_contract_in_label_space_order() -> None:
    cohort = Cohort(_table(), NIH15)
    assert list(cohort.table.columns) == [*COLUMNS, *NIH15.labels]
    assert cohort.labels().dtype == np.bool_
    assert cohort.labels([2, 0])[:, NIH15.index("Mass")].tolist() == [True, False]
    assert cohort.rows("val").tolist() == [2, 3]
    assert cohort.counts("test") == {**dict.fromkeys(NIH15.labels, 0), "Nodule": 1, "Effusion": 1, "Mass": 1}
    assert (cohort.n_patients(), cohort.n_patients("train"), len(cohort)) == (4, 1, 6)
    assert cohort.patients.tolist() == list("112344")
    assert not cohort.simulated
    assert cohort.select("test").image_ids.tolist() == ["e.png", "f.png"]


def test_one_simulated_image_makes_a_cohort_simulated() -> None:
    table = _table()
    table.loc[3, "source"] = "simulated"
    assert Cohort(table, NIH15).simulated


@pytest.mark.parametrize("space", [NIH15, CXRLT20])
def test_save_and_load_give_the_same_cohort(space: LabelSpace, tmp_path: Path) -> None:
    cohort = Cohort(_table(space), space)
    loaded = Cohort.load(cohort.save(tmp_path / "cohort.parquet"))
    pd.testing.assert_frame_equal(loaded.table, cohort.table)
    assert loaded.label_space == space
    assert loaded.fingerprint == cohort.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.parquet"]


@given(st.permutations(range(15)), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_label_order_survives_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], seed: int
) -> None:
    space = LabelSpace("shuffled", tuple(NIH15.labels[i] for i in order))
    labels = np.random.default_rng(seed).random((9, 15)) < 0.2
    labels[:, space.index("No Finding")] = False
    labels[:, space.index("No Finding")] = ~labels.any(axis=1)
    table = make_table([str(i) for i in range(9)], [str(i) for i in range(9)], labels, space, split="train", source="x")
    path = tmp_path_factory.mktemp("round") / "cohort.parquet"
    loaded = Cohort.load(Cohort(table, space).save(path))
    assert loaded.label_space.labels == space.labels
    np.testing.assert_array_equal(loaded.labels(), labels)


@pytest.mark.parametrize("column", ["image_id", "patient_id", "split", "Mass"])
def test_fingerprint_changes_with_content_and_not_with_age(column: str) -> None:
    before = Cohort(_table(), NIH15).fingerprint
    table = _table()
    if column == "Mass":
        table.loc[0, "Mass"] = True
    elif column == "split":
        table.loc[table["patient_id"] == "2", "split"] = "train"
    else:
        table.loc[4:, column] = ["y", "z"] if column == "image_id" else "9"
    assert Cohort(table, NIH15).fingerprint != before
    assert Cohort(_table().assign(age=1.0), NIH15).fingerprint == before
    assert len(before) == 12


def _known() -> np.ndarray:
    """Where the labels of `_table` are known when a.png's Mass and all of b.png's Hernia and No Finding are not."""
    known = np.ones((6, 15), dtype=bool)
    known[0, NIH15.index("Mass")] = known[1, NIH15.index("Hernia")] = known[1, NIH15.index("No Finding")] = False
    return known


def _partly_known(known: np.ndarray | None = None, flip: bool = False) -> pd.DataFrame:
    """`_table` with unknown labels; `flip` turns round what is behind them."""
    whole, known = Cohort(_table(), NIH15), _known() if known is None else known
    rest = {name: whole.table[name].to_numpy() for name in COLUMNS[2:]}
    labels = whole.labels() ^ ~known if flip else whole.labels()
    return make_table(whole.image_ids, whole.patients, labels, NIH15, known=known, **rest)


def test_unknown_labels_are_missing_in_the_table_false_in_labels_and_said_by_known() -> None:
    cohort, whole = Cohort(_partly_known(), NIH15), Cohort(_table(), NIH15)
    np.testing.assert_array_equal(cohort.known(), _known())
    np.testing.assert_array_equal(cohort.known([1, 0]), _known()[[1, 0]])
    np.testing.assert_array_equal(cohort.labels(), whole.labels() & _known())
    assert cohort.labels().dtype == cohort.known().dtype == np.bool_
    assert (whole.all_known, cohort.all_known) == (True, False)
    assert whole.known().all()
    assert {str(cohort.table[label].dtype) for label in ("Mass", "Hernia", "No Finding")} == {"boolean"}
    assert cohort.table["Mass"].isna().tolist() == [True] + [False] * 5
    assert cohort.table["Effusion"].dtype == np.bool_
    assert cohort.counts("train") == {**dict.fromkeys(NIH15.labels, 0), "Effusion": 1}
    assert cohort.known_counts("train") == {**dict.fromkeys(NIH15.labels, 2), "Mass": 1, "Hernia": 1, "No Finding": 1}
    assert cohort.known_counts("test") == dict.fromkeys(NIH15.labels, 2)


def test_what_was_behind_an_unknown_label_is_not_kept(tmp_path: Path) -> None:
    one, other = Cohort(_partly_known(), NIH15), Cohort(_partly_known(flip=True), NIH15)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.fingerprint == other.fingerprint
    files = (one.save(tmp_path / "one.parquet"), other.save(tmp_path / "other.parquet"))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_unknown_labels_survive_a_round_trip(tmp_path: Path) -> None:
    cohort = Cohort(_partly_known(), NIH15)
    path = cohort.save(tmp_path / "cohort.parquet")
    loaded = Cohort.load(path)
    pd.testing.assert_frame_equal(loaded.table, cohort.table)
    np.testing.assert_array_equal(loaded.known(), cohort.known())
    assert loaded.fingerprint == cohort.fingerprint
    assert pq.read_table(path)["Mass"].null_count == 1


def test_a_column_that_misses_nothing_any_more_is_plain_again(tmp_path: Path) -> None:
    """A part of a cohort and a table whose gaps were filled are what they would be had nothing been unknown."""
    whole, filled = Cohort(_table(), NIH15), _table().astype({"Mass": "boolean"})
    pd.testing.assert_frame_equal(Cohort(_partly_known(), NIH15).select("test").table, whole.select("test").table)
    plain, saved = (c.save(tmp_path / f"{n}.parquet") for n, c in enumerate((whole, Cohort(filled, NIH15))))
    assert plain.read_bytes() == saved.read_bytes()
    assert Cohort(filled, NIH15).fingerprint == whole.fingerprint
    assert make_table(["a"], ["1"], whole.labels([0]), NIH15, known=np.ones((1, 15), bool))["Mass"].dtype == np.bool_


def test_the_fingerprint_is_as_before_unless_something_is_unknown() -> None:
    """Known by heart: cohorts of earlier versions must still be found the same."""
    whole = Cohort(_table(), NIH15)
    assert whole.fingerprint == "5d282fc26458"
    seen = {whole.fingerprint}
    for row, label in ((0, "Mass"), (0, "Hernia"), (1, "Mass"), (2, "Mass")):
        known = np.ones((6, 15), dtype=bool)
        known[row, NIH15.index(label)] = False
        seen.add(Cohort(_partly_known(known), NIH15).fingerprint)
    assert len(seen) == 5


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_cohort_takes_unknown_labels_that_have_some_possible_truth(
    hide: Callable[..., np.ndarray], seed: int, share: float
) -> None:
    labels = np.random.default_rng(seed).random((12, 15)) < 0.15
    labels[:, NIH15.index("No Finding")] = ~np.delete(labels, NIH15.index("No Finding"), axis=1).any(axis=1)
    known = hide(labels, NIH15, share, seed)
    ids = [str(i) for i in range(12)]
    cohort = Cohort(make_table(ids, ids, labels, NIH15, known=known, split="train", source="x"), NIH15)
    np.testing.assert_array_equal(cohort.known(), known)
    np.testing.assert_array_equal(cohort.labels(), labels & known)


def test_a_label_may_be_unknown_throughout(tmp_path: Path) -> None:
    known = np.ones((6, 15), dtype=bool)
    known[:, NIH15.index("Edema")] = False
    loaded = Cohort.load(Cohort(_partly_known(known), NIH15).save(tmp_path / "cohort.parquet"))
    assert loaded.known_counts("train")["Edema"] == loaded.counts("train")["Edema"] == 0
    assert str(loaded.table["Edema"].dtype) == "boolean"


def _unknown(*cells: tuple[int, str]) -> object:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        for row, column in cells:
            table[column] = table[column].astype("boolean")
            table.loc[row, column] = pd.NA
        return table

    return change


def _set(row: int, column: str, value: object) -> object:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


BROKEN = {
    "patient in two splits": (_set(0, "patient_id", "4"), "more than one split"),
    "id twice": (_set(0, "image_id", "b.png"), "more than once"),
    "empty id": (_set(0, "image_id", ""), "empty 'image_id'"),
    "empty patient": (_set(0, "patient_id", ""), "empty 'patient_id'"),
    "missing patient": (_set(0, "patient_id", None), "must hold text"),
    "unknown split": (_set(4, "split", "training"), "one of train, val, test"),
    "finding and No Finding": (_set(0, "No Finding", True), "exactly where no finding is"),
    "neither": (_set(0, "Effusion", False), "exactly where no finding is"),
    "column missing": (lambda table: table.drop(columns="Mass"), "lacks"),
    "columns in another order": (lambda table: table[sorted(table.columns)], "in this order"),
    "No Finding unknown beside a finding": (_unknown((0, "No Finding")), "unknown for 1 images that carry a finding"),
    "finding and No Finding, others unknown": (
        lambda table: _set(0, "No Finding", True)(_unknown((0, "Mass"))(table)),
        "exactly where no finding is",
    ),
    "neither, and all findings known": (
        lambda table: _set(0, "Effusion", False)(_unknown((1, "Mass"))(table)),
        "exactly where no finding is",
    ),
    "labels with gaps as objects": (
        lambda table: table.assign(Mass=pd.Series([None, *[False] * 5], dtype=object)),
        "must be boolean",
    ),
    "labels as numbers": (lambda table: table.astype({"Mass": int}), "must be boolean"),
    "age as text": (lambda table: table.assign(age="5"), "must hold numbers"),
    "copy in val": (_set(2, "origin", "a.png"), "not in train"),
    "copy of a test image": (_set(0, "origin", "e.png"), "not in train"),
    "copy of an unknown image": (_set(0, "origin", "z.png"), "not in train"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_no_cohort(name: str) -> None:
    change, message = BROKEN[name]
    with pytest.raises(CohortError, match=message):
        Cohort(change(_table()), NIH15)


def test_a_copy_beside_its_origin_in_train_is_fine() -> None:
    table = _table()
    table.loc[1, "origin"] = "a.png"
    assert len(Cohort(table, NIH15).rows("train")) == 2


def test_invariants_are_checked_on_load(tmp_path: Path) -> None:
    path = Cohort(_table(), NIH15).save(tmp_path / "cohort.parquet")
    stored = pq.read_table(path)
    patients = stored.column_names.index("patient_id")
    leaked = stored.set_column(patients, "patient_id", pa.array(["1"] * 6))
    pq.write_table(leaked, path)
    with pytest.raises(CohortError, match="more than one split"):
        Cohort.load(path)


def test_loading_what_is_no_cohort_says_so(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no cohort at"):
        Cohort.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(CohortError, match="no readable cohort"):
        Cohort.load(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(CohortError, match="names no label space"):
        Cohort.load(tmp_path / "other.parquet")
    about = {b"chestxpert": json.dumps({"schema": 99}).encode()}
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata(about), tmp_path / "later.parquet")
    with pytest.raises(CohortError, match="schema 99"):
        Cohort.load(tmp_path / "later.parquet")


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(CohortError, match="no split 'valid'"):
        Cohort(_table(), NIH15).rows("valid")


ALLOWED = {
    "the only finding is unknown, No Finding false": [(0, "Effusion")],
    "the only finding is unknown, No Finding too": [(0, "Effusion"), (0, "No Finding")],
    "No Finding unknown, every finding absent": [(1, "No Finding")],
    "No Finding true, a finding unknown": [(1, "Mass")],
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_some_truth_would_explain_is_a_cohort(name: str) -> None:
    cohort = Cohort(_unknown(*ALLOWED[name])(_table()), NIH15)
    assert (~cohort.known()).sum() == len(ALLOWED[name])
