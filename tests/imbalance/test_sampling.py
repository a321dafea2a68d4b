"""Thinning and over-sampling, against counts worked out by hand and properties that must always hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chestxpert.errors import LabelError, RecipeError
from chestxpert.imbalance.sampling import oversample, oversample_by_counts, rare_findings, thin
from chestxpert.labels import CXRLT20, NIH15

STUDY_DROP = {"Infiltration": 0.63, "Effusion": 0.4, "Atelectasis": 0.4, "No Finding": 0.95}
SMALL = arrays(np.bool_, st.tuples(st.integers(0, 60), st.just(len(NIH15))))


def random_labels(n: int, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Labels with a long tail; No Finding exactly where there is no other."""
    rng = np.random.default_rng(seed)
    labels = rng.random((n, len(NIH15))) < np.geomspace(0.2, 0.004, len(NIH15))
    labels[:, -1] = ~labels[:, :-1].any(axis=1)
    return labels


def test_rare_findings_are_the_studys_nine() -> None:
    assert rare_findings(NIH15, STUDY_DROP) == (
        "Cardiomegaly", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Hernia",
        "Pleural_Thickening", "Pneumonia", "Pneumothorax",
    )  # fmt: skip
    assert len(rare_findings(CXRLT20, STUDY_DROP)) == 14
    assert "Pleural_Thickening" not in rare_findings(NIH15, ["pleural thickening"])


def test_original_behaviour_drops_the_share_of_every_carrier() -> None:
    labels = np.zeros((300, len(NIH15)), dtype=bool)
    labels[:100, NIH15.index("Infiltration")] = True
    labels[:50, NIH15.index("Hernia")] = True
    labels[100:, -1] = True
    kept = thin(labels, NIH15, STUDY_DROP, protect=False, rng=np.random.default_rng(0))
    assert labels[kept, NIH15.index("Infiltration")].sum() == 100 - 63
    assert labels[kept, -1].sum() == 200 - 190
    assert labels[kept, NIH15.index("Hernia")].sum() < 50


def test_protection_keeps_rows_with_a_rare_finding_and_thins_the_rest() -> None:
    labels = np.zeros((100, len(NIH15)), dtype=bool)
    labels[:, NIH15.index("Infiltration")] = True
    labels[:50, NIH15.index("Hernia")] = True
    kept = thin(labels, NIH15, {"infiltrate": 0.5}, protect=True, rng=np.random.default_rng(0))
    assert list(kept[:50]) == list(range(50))
    assert len(kept) == 75


def test_labels_are_thinned_one_after_the_other() -> None:
    """A row with both labels meets two draws: of 100 rows, half and then half of what is left."""
    labels = np.zeros((100, len(NIH15)), dtype=bool)
    labels[:, [NIH15.index("Effusion"), NIH15.index("Atelectasis")]] = True
    kept = thin(labels, NIH15, {"Effusion": 0.5, "Atelectasis": 0.5}, protect=False, rng=np.random.default_rng(0))
    assert len(kept) == 25


@settings(deadline=None, max_examples=60)
@given(labels=SMALL, seed=st.integers(0, 9), protect=st.booleans())
def test_thinning_keeps_what_it_must(labels: npt.NDArray[np.bool_], seed: int, protect: bool) -> None:
    kept = thin(labels, NIH15, STUDY_DROP, protect, np.random.default_rng(seed))
    assert np.array_equal(kept, thin(labels, NIH15, STUDY_DROP, protect, np.random.default_rng(seed)))
    assert np.array_equal(kept, np.unique(kept))
    dropped = np.setdiff1d(np.arange(len(labels)), kept)
    thinned = [NIH15.index(name) for name in STUDY_DROP]
    assert labels[np.ix_(dropped, thinned)].any(axis=1).all()
    if protect:
        rare = [NIH15.index(name) for name in rare_findings(NIH15, STUDY_DROP)]
        assert not labels[np.ix_(dropped, rare)].any()


def test_thinning_refuses_what_it_cannot_mean() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(LabelError, match="Effusion"):
        thin(random_labels(9), NIH15, {"Efusion": 0.5}, True, rng)
    with pytest.raises(RecipeError, match=r"1\.5"):
        thin(random_labels(9), NIH15, {"Effusion": 1.5}, True, rng)
    with pytest.raises(LabelError, match=r"\(9, 15\)"):
        thin(random_labels(9), CXRLT20, {"Effusion": 0.5}, True, rng)


def test_oversampling_reaches_the_target_exactly_for_a_lone_finding() -> None:
    labels = np.zeros((1000, len(NIH15)), dtype=bool)
    labels[:20, NIH15.index("Hernia")] = True
    rows = oversample(labels, NIH15, ["Hernia"], 0.05, 10, np.random.default_rng(0))
    assert labels[rows, NIH15.index("Hernia")].sum() == 50
    assert len(rows) == 1030


def test_copies_are_spread_evenly_over_the_carriers() -> None:
    labels = np.zeros((1000, len(NIH15)), dtype=bool)
    labels[:20, NIH15.index("Hernia")] = True
    rows = oversample(labels, NIH15, ["Hernia"], 0.05, 10, np.random.default_rng(0))
    assert set(np.bincount(rows)[:20]) == {2, 3}


def test_max_copies_bounds_every_row() -> None:
    labels = np.zeros((1000, len(NIH15)), dtype=bool)
    labels[:2, NIH15.index("Hernia")] = True
    rows = oversample(labels, NIH15, ["Hernia"], 0.05, 4, np.random.default_rng(0))
    assert labels[rows, NIH15.index("Hernia")].sum() == 2 * 5
    assert np.array_equal(oversample(labels, NIH15, ["Hernia"], 0.05, 0, np.random.default_rng(0)), np.arange(1000))


def test_a_copy_counts_for_every_rare_finding_of_its_row() -> None:
    labels = np.zeros((1000, len(NIH15)), dtype=bool)
    both = [NIH15.index("Hernia"), NIH15.index("Edema")]
    labels[:10, both] = True
    rows = oversample(labels, NIH15, ["Hernia", "Edema"], 0.03, 10, np.random.default_rng(0))
    assert list(labels[rows][:, both].sum(axis=0)) == [30, 30]


@settings(deadline=None, max_examples=60)
@given(labels=SMALL, seed=st.integers(0, 9), target=st.floats(0, 1), max_copies=st.integers(0, 5))
def test_oversampling_only_adds(labels: npt.NDArray[np.bool_], seed: int, target: float, max_copies: int) -> None:
    rare = rare_findings(NIH15)
    rows = oversample(labels, NIH15, rare, target, max_copies, np.random.default_rng(seed))
    again = oversample(labels, NIH15, rare, target, max_copies, np.random.default_rng(seed))
    assert np.array_equal(rows, again)
    assert np.array_equal(rows[: len(labels)], np.arange(len(labels)))
    copies = np.bincount(rows, minlength=len(labels)) - 1
    assert copies.min(initial=0) >= 0
    assert copies.max(initial=0) <= max_copies
    columns = [NIH15.index(name) for name in rare]
    assert labels[np.ix_(rows[len(labels) :], columns)].any(axis=1).all()
    for column in columns:
        carriers = labels[:, column]
        reached = labels[rows, column].sum() >= target * len(labels) - 1e-6
        assert reached or (copies[carriers] == max_copies).all()


def test_oversampling_refuses_what_it_cannot_mean() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(LabelError, match="Hernia"):
        oversample(random_labels(9), NIH15, ["Herna"], 0.1, 3, rng)
    with pytest.raises(RecipeError, match="-1"):
        oversample(random_labels(9), NIH15, ["Hernia"], 0.1, -1, rng)


def test_counted_copies_are_spread_evenly_and_shared_between_findings() -> None:
    """20 copies with Edema serve 8 of the 20 with Hernia that are asked for: the row with both is copied for both."""
    labels = np.zeros((100, len(NIH15)), dtype=bool)
    labels[:5, NIH15.index("Edema")] = True
    labels[3:13, NIH15.index("Hernia")] = True
    rows = oversample_by_counts(labels, NIH15, {"hernia": 20, "Edema": 20}, 10, np.random.default_rng(0))
    copied = np.bincount(rows, minlength=100) - 1
    assert copied[:5].tolist() == [4] * 5
    assert copied[3:13].sum() == 20
    assert copied[5:13].sum() == 12
    assert set(copied[5:13]) <= {1, 2}
    assert not copied[13:].any()


@settings(deadline=None, max_examples=60)
@given(
    labels=SMALL,
    seed=st.integers(0, 9),
    counts=st.dictionaries(st.sampled_from(NIH15.findings), st.integers(0, 40)),
    max_copies=st.integers(0, 5),
)
def test_counted_copies_only_add_and_stop_where_they_must(
    labels: npt.NDArray[np.bool_], seed: int, counts: dict[str, int], max_copies: int
) -> None:
    rows = oversample_by_counts(labels, NIH15, counts, max_copies, np.random.default_rng(seed))
    assert np.array_equal(rows, oversample_by_counts(labels, NIH15, counts, max_copies, np.random.default_rng(seed)))
    assert np.array_equal(rows[: len(labels)], np.arange(len(labels)))
    copies = np.bincount(rows, minlength=len(labels)) - 1
    assert copies.max(initial=0) <= max_copies
    columns = [NIH15.index(name) for name in counts]
    assert labels[np.ix_(rows[len(labels) :], columns)].any(axis=1).all()
    assert copies.sum() <= sum(counts.values())
    for column, count in zip(columns, counts.values(), strict=True):
        carriers = labels[:, column]
        assert copies[carriers].sum() >= count or (copies[carriers] == max_copies).all()


def test_counted_copies_refuse_what_they_cannot_mean() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(LabelError, match="Hernia"):
        oversample_by_counts(random_labels(9), NIH15, {"Herna": 1}, 3, rng)
    with pytest.raises(RecipeError, match="-2"):
        oversample_by_counts(random_labels(9), NIH15, {"Hernia": -2}, 3, rng)
    with pytest.raises(RecipeError, match="one number"):
        oversample_by_counts(random_labels(9), NIH15, {"Infiltrate": 2, "infiltration": 3}, 3, rng)
