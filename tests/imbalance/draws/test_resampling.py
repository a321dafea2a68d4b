import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RecipeError
from chestxpert.imbalance.draws.resampling import imbalance_ratios, mean_ratio, minority_labels, ml_ros, ml_rus
from chestxpert.labels import NIH15

label_arrays = st.builds(
    lambda seed, rows, columns: np.random.default_rng(seed).random((rows, columns)) < 0.6 ** np.arange(1, columns + 1),
    st.integers(0, 500), st.integers(2, 60), st.integers(1, 8),
)  # fmt: skip


def ratio(data: list[list[bool]], label: int) -> float:
    """IRLbl in plain Python; without any row of the label, there is none."""
    counts = [sum(row[other] for row in data) for other in range(len(data[0]))]
    return max(counts) / counts[label] if counts[label] else float("nan")


def mean_of_ratios(data: list[list[bool]]) -> float:
    known = [ratio(data, label) for label in range(len(data[0])) if any(row[label] for row in data)]
    return sum(known) / len(known) if known else 1.0


def minority(data: list[list[bool]]) -> list[int]:
    return [label for label in range(len(data[0])) if ratio(data, label) > mean_of_ratios(data)]


def ml_ros_by_hand(data: list[list[bool]], percent: float, rng: np.random.Generator) -> list[int]:
    """The paper's pseudo-code: the data set grows, and every ratio is counted anew on all of it."""
    to_clone, mean = int(len(data) / 100 * percent), mean_of_ratios(data)
    bags = [(label, [number for number, row in enumerate(data) if row[label]]) for label in minority(data)]
    grown, cloned = [*data], []
    while to_clone > 0 and bags:
        for label, bag in [*bags]:
            if to_clone == 0:
                break
            number = bag[int(rng.random() * len(bag))]
            grown.append(data[number])
            cloned.append(number)
            if ratio(grown, label) <= mean:
                bags.remove((label, bag))
            to_clone -= 1
    return cloned


@given(label_arrays)
def test_ratios_are_the_paper_s(labels: np.ndarray) -> None:
    data = labels.tolist()
    ratios = imbalance_ratios(labels)
    assert ratios.tolist() == pytest.approx([ratio(data, label) for label in range(len(ratios))], nan_ok=True)
    assert mean_ratio(ratios) == pytest.approx(mean_of_ratios(data))


def test_ratios_of_a_case_by_hand() -> None:
    labels = np.repeat(np.eye(4, dtype=bool), [8, 4, 1, 0], axis=0)
    assert imbalance_ratios(labels)[:3].tolist() == [1, 2, 8]
    assert np.isnan(imbalance_ratios(labels)[3])
    assert mean_ratio(imbalance_ratios(labels)) == pytest.approx(11 / 3)
    assert minority_labels(labels).tolist() == [2]
    # The third label leaves once 8 / n <= 11 / 3: with two copies of its one row.
    assert ml_ros(labels, np.random.default_rng(0), 1.0, percent=100)[13:].tolist() == [12, 12]
    assert ml_ros(labels, np.random.default_rng(0), 1.0, percent=8)[13:].tolist() == [12]


@given(label_arrays, st.sampled_from([0.0, 10.0, 25.0, 60.0]), st.integers(0, 99))
def test_copies_are_those_of_the_paper_s_pseudo_code(labels: np.ndarray, percent: float, seed: int) -> None:
    rows = ml_ros(labels, np.random.default_rng(seed), 1.0, percent=percent)
    expected = ml_ros_by_hand(labels.tolist(), percent, np.random.default_rng(seed))
    assert rows.tolist() == [*range(len(labels)), *expected]


@given(label_arrays, st.floats(0, 200), st.integers(0, 99))
def test_only_rows_with_a_minority_label_are_copied(labels: np.ndarray, percent: float, seed: int) -> None:
    rows = ml_ros(labels, np.random.default_rng(seed), 1.0, percent=percent)
    assert len(rows) <= len(labels) * (1 + percent / 100)
    assert labels[:, minority_labels(labels)].any(axis=1)[rows[len(labels) :]].all()


@given(label_arrays, st.floats(0, 99), st.integers(0, 99))
def test_only_rows_without_a_minority_label_are_dropped(labels: np.ndarray, percent: float, seed: int) -> None:
    rows = ml_rus(labels, np.random.default_rng(seed), 1.0, percent=percent).tolist()
    data = labels.tolist()
    rare = minority(data)
    droppable = [number for number, row in enumerate(data) if not any(row[label] for label in rare)]
    dropped = sorted(set(range(len(data))) - set(rows))
    assert rows == sorted(set(rows))
    assert set(dropped) <= set(droppable)
    assert len(dropped) == min(int(len(data) * percent / 100), len(droppable))


def test_each_epoch_drops_others() -> None:
    labels = np.random.default_rng(0).random((200, 3)) < [0.5, 0.4, 0.02]
    rng = np.random.default_rng(1)
    kept = np.stack([np.bincount(ml_rus(labels, rng, 1.0, percent=25), minlength=200) for _ in range(60)])
    droppable = ~labels[:, 2]
    assert (kept[:, ~droppable] == 1).all()
    assert kept.any(axis=0).all()
    assert kept[:, droppable].mean() == pytest.approx(1 - 50 / droppable.sum())


@pytest.mark.parametrize(("draw", "percent"), [(ml_ros, -1), (ml_ros, 1001), (ml_rus, -1), (ml_rus, 100)])
def test_a_percentage_out_of_range_is_refused(draw: object, percent: float) -> None:
    assert callable(draw)
    with pytest.raises(RecipeError, match="percent"):
        draw(np.ones((4, 2), bool), np.random.default_rng(0), 1.0, percent=percent)


@pytest.mark.shared_data
def test_two_findings_of_chest_x_ray14_are_in_the_minority(nih_tables: Path) -> None:
    with gzip.open(nih_tables / "train_val_list.txt.gz", "rt") as lines:
        train_val = set(lines.read().split())
    table = pd.read_csv(nih_tables / "Data_Entry_2017_v2020.csv.gz", usecols=["Image Index", "Finding Labels"])
    texts = table.loc[table["Image Index"].isin(train_val), "Finding Labels"]
    labels = np.column_stack([texts.str.contains(name) for name in NIH15.labels])
    assert [NIH15.labels[label] for label in minority_labels(labels)] == ["Hernia", "Pneumonia"]
    rows = ml_ros(labels, np.random.default_rng(0), 1.0)
    hernia, pneumonia = (labels[rows][:, NIH15.index(name)].sum() for name in ("Hernia", "Pneumonia"))
    # Both end where 50,500 images without a finding are no more than 43.81 times theirs.
    assert (len(labels), hernia, pneumonia) == (86_524, 1_153, 1_153)
