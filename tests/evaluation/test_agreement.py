from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, cohen_kappa_score, precision_score, recall_score

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.agreement import Crossed, SharedImages, describe_agreement, measure_against_both
from chestxpert.evaluation.agreement_text import agreement_table
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import plain
from chestxpert.labels import NIH15, LabelSpace

READERS = LabelSpace("readers", ("Pneumothorax", "Effusion", "Tube"), None)
EFFUSION = NIH15.index("Effusion")


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 25), st.integers(1, 3)).flatmap(
        lambda shape: st.tuples(*(hnp.arrays(np.bool_, shape) for _ in range(3)))
    )
)
def test_rates_are_scikit_learns_on_what_both_know(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    here, there, known = case
    crossed = Crossed.of(here, there, known)
    kappa, ppv, sensitivity = crossed.kappa(), crossed.ppv(), crossed.sensitivity()
    for label in range(here.shape[1]):
        rows = known[:, label]
        mine, other = here[rows, label], there[rows, label]
        alike = not len(mine) or len({*mine.tolist(), *other.tolist()}) == 1
        assert kappa[label] == pytest.approx(np.nan if alike else cohen_kappa_score(mine, other), nan_ok=True)
        expected = precision_score(other, mine, zero_division=np.nan) if mine.any() else np.nan
        assert ppv[label] == pytest.approx(expected, nan_ok=True)
        expected = recall_score(other, mine, zero_division=np.nan) if other.any() else np.nan
        assert sensitivity[label] == pytest.approx(expected, nan_ok=True)
    np.testing.assert_allclose(Crossed.of(there, here, known).kappa(), kappa)


def test_kappa_by_hand() -> None:
    # 20 both, 5 and 10 alone, 15 neither: .70 observed, .50 by chance (a textbook's example).
    here = np.repeat([True, True, False, False], [20, 5, 10, 15])[:, None]
    there = np.repeat([True, False, True, False], [20, 5, 10, 15])[:, None]
    crossed = Crossed.of(here, there)
    assert crossed.kappa().tolist() == [pytest.approx(0.4)]
    assert crossed.ppv().tolist() == [0.8]
    assert crossed.sensitivity().tolist() == [pytest.approx(2 / 3)]


def test_counts_in_draws_are_those_of_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    here, there, known = rng.random((30, 2)) < 0.4, rng.random((30, 2)) < 0.4, rng.random((30, 2)) < 0.8
    draws = PatientDraws.draw((np.arange(30) // 2).astype(str), 10, 0)
    drawn = Crossed.of(here, there, known, draws)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(30), weights)
        np.testing.assert_allclose(drawn.kappa()[draw], Crossed.of(here[rows], there[rows], known[rows]).kappa())


@pytest.fixture(scope="module")
def other(cohort: Cohort) -> Cohort:
    """Readers of half the images, in another order, who see some effusions otherwise and know half the Pneumothorax."""
    rng = np.random.default_rng(1)
    rows = rng.permutation(len(cohort))[: len(cohort) // 2]
    labels = np.zeros((len(rows), 3), dtype=bool)
    labels[:, 0] = cohort.labels(rows)[:, NIH15.index("Pneumothorax")]
    labels[:, 1] = cohort.labels(rows)[:, EFFUSION] ^ (rng.random(len(rows)) < 0.1)
    known = np.ones_like(labels)
    known[::2, 0] = False
    table = make_table(
        cohort.image_ids[rows], cohort.patients[rows], labels, READERS, known=known,
        split=cohort.table["split"].to_numpy()[rows], source="readers",
    )  # fmt: skip
    return Cohort(table, READERS)


def test_images_and_findings_are_matched_by_name(cohort: Cohort, other: Cohort) -> None:
    shared = SharedImages.of(cohort, other)
    assert cohort.image_ids[shared.rows].tolist() == [name for name in cohort.image_ids if name in set(other.image_ids)]
    position = {name: row for row, name in enumerate(other.image_ids)}
    for place in (0, 7, len(shared.rows) - 1):
        row = position[cohort.image_ids[shared.rows[place]]]
        assert shared.there[place, EFFUSION] == other.labels()[row, 1]
        assert shared.known[place, NIH15.index("Pneumothorax")] == other.known()[row, 0]
    assert shared.missing == set(NIH15.labels) - {"Pneumothorax", "Effusion"}
    assert not shared.known[:, NIH15.index("Hernia")].any()


def test_what_is_said_of_the_sources(cohort: Cohort, other: Cohort) -> None:
    shared = SharedImages.of(cohort, other)
    described = describe_agreement(cohort, shared, 50, 0)
    assert (described["images"], described["patients"]) == (len(other), len(set(other.patients)))
    assert set(described["per_label"]) == {"Pneumothorax", "Effusion"}
    assert "Hernia" in described["not_named"]
    entry = described["per_label"]["Effusion"]
    assert sum(entry[name] for name in ("both", "only_here", "only_there", "neither")) == len(other)
    assert entry["kappa"]["low"] < entry["kappa"]["mean"] < entry["kappa"]["high"] < 1
    pneumothorax = described["per_label"]["Pneumothorax"]
    assert sum(pneumothorax[name] for name in ("both", "neither")) == other.known()[:, 0].sum()
    assert pneumothorax["kappa"]["mean"] == 1


def test_a_run_is_measured_on_the_same_images_by_both(
    cohort: Cohort, other: Cohort, make_predictions: Callable[..., Predictions]
) -> None:
    predictions, shared = make_predictions(cohort, 1.5), SharedImages.of(cohort, other)
    both = measure_against_both(predictions, cohort, shared, dict.fromkeys(NIH15.labels, 0.4), 30, 0)
    assert both is not None
    rows = shared.rows[(cohort.table["split"].to_numpy() == "test")[shared.rows]]
    position = {name: row for row, name in enumerate(cohort.image_ids[cohort.rows("test")])}
    scores = predictions.align(cohort, "test")[0][[position[name] for name in cohort.image_ids[rows]], EFFUSION]
    there = dict(zip(other.image_ids, other.labels()[:, 1], strict=True))
    for side, truth in {
        "here": cohort.labels(rows)[:, EFFUSION], "there": np.array([there[name] for name in cohort.image_ids[rows]]),
    }.items():  # fmt: skip
        entry = both[side]["per_label"]["Effusion"]
        assert entry["n_known"] == len(rows)
        assert entry["ap"]["value"] == pytest.approx(average_precision_score(truth, scores))
    assert both["here"]["per_label"]["Effusion"]["ap"]["value"] != both["there"]["per_label"]["Effusion"]["ap"]["value"]
    assert both["not_measured"]["Hernia"] == "the other source says nothing of it"
    pneumothorax = [both[side]["per_label"]["Pneumothorax"] for side in ("here", "there")]
    assert pneumothorax[0] == pneumothorax[1]
    assert pneumothorax[0]["n_known"] < len(rows)


def test_without_a_shared_test_image_no_run_is_measured(
    cohort: Cohort, other: Cohort, make_predictions: Callable[..., Predictions]
) -> None:
    shared = SharedImages.of(cohort, other.select("train"))
    assert measure_against_both(make_predictions(cohort), cohort, shared, {}, 10, 0) is None
    table = other.table.astype({"Effusion": "boolean"})
    table["Effusion"] = None
    silent = SharedImages.of(cohort, Cohort(table.astype({"Effusion": "boolean"}), READERS))
    assert "Effusion" in silent.missing
    with pytest.raises(PredictionsError, match="share no image"):
        SharedImages.of(cohort.select("test"), other.select("train"))


def test_the_table_says_it_all(cohort: Cohort, other: Cohort, make_predictions: Callable[..., Predictions]) -> None:
    shared = SharedImages.of(cohort, other)
    both = measure_against_both(make_predictions(cohort), cohort, shared, dict.fromkeys(NIH15.labels, 0.5), 20, 0)
    described = {"source": "readers", **describe_agreement(cohort, shared, 20, 0), "recipes": {"flat-basic": both}}
    text = agreement_table(plain(described))
    assert f"on {len(other):,} images of" in text
    assert "| Pneumothorax |" in text
    assert "1.000 (1.000 to 1.000)" in text
    assert "| flat-basic |" in text
    assert "Not named there: Atelectasis" in text
    nothing = agreement_table(plain({**described, "recipes": {"flat-basic": None}}))
    assert "no recipe is measured against the other source" in nothing
