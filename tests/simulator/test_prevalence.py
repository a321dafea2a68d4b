"""The embedded counts against NIH's own table, and the tail exponent against its formula."""

import csv
import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.labels import NIH15
from chestxpert.simulator.prevalence import (
    TEST_SHARE,
    bent_combinations,
    images_a_patient,
    nih_combinations,
    target_prevalence,
)

# Images with each finding among all 112,120 (train_val and test together), as published.
PUBLISHED = {
    "Infiltration": 19894, "Effusion": 13317, "Atelectasis": 11559, "Nodule": 6331, "Mass": 5782,
    "Consolidation": 4667, "Pneumothorax": 5302, "Pleural_Thickening": 3385, "Cardiomegaly": 2776,
    "Emphysema": 2516, "Edema": 2303, "Fibrosis": 1686, "Pneumonia": 1431, "Hernia": 227,
}  # fmt: skip


def test_prevalences_are_the_published_ones() -> None:
    expected = [PUBLISHED[name] / 112_120 for name in NIH15.findings]
    np.testing.assert_allclose(nih_combinations().prevalence, expected, rtol=1e-12)


def test_splits_and_views_are_the_published_ones() -> None:
    cells = nih_combinations().weights.sum(axis=2)
    assert cells.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(cells.sum(axis=1), [1 - TEST_SHARE, TEST_SHARE])
    np.testing.assert_allclose(cells[:, 1] / cells.sum(axis=1), [0.350, 0.566], atol=5e-4)  # AP


def test_images_a_patient_average_as_published() -> None:
    sizes, shares = images_a_patient()
    np.testing.assert_allclose(shares @ sizes, [3.09, 9.15], atol=5e-3)


@pytest.mark.shared_data
def test_counts_are_those_of_nihs_table(nih_tables: Path) -> None:
    with gzip.open(nih_tables / "test_list.txt.gz", "rt") as lines:
        test = {line.strip() for line in lines}
    with gzip.open(nih_tables / "Data_Entry_2017_v2020.csv.gz", "rt", newline="") as lines:
        rows = list(csv.DictReader(lines))
    read = {text: tuple(NIH15.encode(NIH15.parse(text))[:14]) for text in {row["Finding Labels"] for row in rows}}
    expected = Counter(
        (row["Image Index"] in test, row["View Position"] == "AP", read[row["Finding Labels"]]) for row in rows
    )
    nih = nih_combinations()
    counts = np.rint(nih.weights * 112_120).astype(int)
    got = {
        (bool(split), bool(view), tuple(nih.findings[k])): int(counts[split, view, k])
        for split, view, k in zip(*np.nonzero(counts), strict=True)
    }
    assert got == dict(expected)


@given(st.lists(st.floats(1e-4, 0.3), min_size=2, max_size=14), st.floats(0, 2))
def test_bending_keeps_the_number_of_findings_and_their_order(shares: list[float], tail: float) -> None:
    before = np.array(shares)
    after = target_prevalence(before, tail)
    assert after.sum() == pytest.approx(before.sum())
    order = np.argsort(before)
    assert (np.diff(after[order]) >= -1e-12).all()


@pytest.mark.parametrize("tail", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_combinations_are_bent_to_the_formula_and_keep_the_rest(tail: float) -> None:
    nih, bent = nih_combinations(), bent_combinations(tail)
    np.testing.assert_allclose(bent.prevalence, target_prevalence(nih.prevalence, tail), atol=2e-6)
    np.testing.assert_allclose(bent.weights.sum(axis=2), nih.weights.sum(axis=2), atol=1e-9)
    healthy = ~nih.findings.any(axis=1)
    assert bent.weights[..., healthy].sum() == pytest.approx(nih.weights[..., healthy].sum(), abs=2e-6)


def test_tail_zero_makes_findings_equally_frequent_and_more_tail_makes_the_rare_rarer() -> None:
    assert np.ptp(bent_combinations(0.0).prevalence) < 1e-5
    hernia = NIH15.findings.index("Hernia")
    rarer = [bent_combinations(tail).prevalence[hernia] for tail in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert rarer == sorted(rarer, reverse=True)
