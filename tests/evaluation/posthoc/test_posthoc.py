"""Corrections of stored predictions: the formulas again, what they may not read, and what they cannot change."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import chi2

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import PredictionsError, RecipeError, UsageError
from chestxpert.evaluation import metrics
from chestxpert.evaluation.calibration.platt import fit_platt
from chestxpert.evaluation.inference import answers_of
from chestxpert.evaluation.log_odds import logit
from chestxpert.evaluation.measured_runs import RunResult
from chestxpert.evaluation.posthoc import correct_run
from chestxpert.evaluation.posthoc.lines import with_posthoc
from chestxpert.evaluation.posthoc.prior_shift import likeliest_prevalence, p_unchanged, shift, shift_all
from chestxpert.evaluation.posthoc.truth import true_answers
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.recipe import POSTHOC, Posthoc, parse_posthoc
from chestxpert.taxonomy import Taxonomy, taxonomy

MakePredictions = Callable[..., Predictions]
TREES = [taxonomy("study", NIH15), taxonomy("clinical", NIH15)]
EITHER = pytest.mark.parametrize("tree", [None, *TREES], ids=["flat", "study", "clinical"])
NONE = NIH15.index("No Finding")


@pytest.fixture(scope="module")
def partly(make_cohort: Callable[..., Cohort], hide: Callable[..., np.ndarray]) -> Cohort:
    """A cohort of which a tenth of the labels is unknown."""
    return make_cohort(250, hide=lambda labels: hide(labels, NIH15, 0.1))


def scrambled(cohort: Cohort, *splits: str) -> Cohort:
    table, names = cohort.table.copy(), list(cohort.label_space.labels)
    for split in splits:
        rows = cohort.rows(split)
        table.loc[rows, names] = table.loc[rows[::-1], names].to_numpy()
    return Cohort(table, cohort.label_space)


# Logit adjustment


def test_logit_adjustment_is_the_formula_of_two_classes(partly: Cohort, make_predictions: MakePredictions) -> None:
    """Equation 9 for a finding (log odds s) and its absence (0), and what the sigmoid of their difference is."""
    made, tau = make_predictions(partly), 0.7
    adjusted, record = correct_run(made, partly, Posthoc("logit-adjustment", {"tau": tau}))
    assert record["tau"] == tau
    train = partly.rows("train")
    labels, known = partly.labels(train), partly.known(train)
    for column in range(len(NIH15)):
        pi = labels[known[:, column], column].mean()
        held = np.log(made.probs[:, column] / (1 - made.probs[:, column])) - tau * np.log(pi)
        absent = 0.0 - tau * np.log(1 - pi)
        np.testing.assert_allclose(
            adjusted.probs[:, column], np.exp(held) / (np.exp(held) + np.exp(absent)), rtol=1e-10
        )


def test_logit_adjustment_of_a_tree_knows_how_often_a_node_holds_where_it_is_asked(
    partly: Cohort, make_predictions: MakePredictions
) -> None:
    tree = TREES[1]
    made = make_predictions(partly, tree=tree)
    adjusted, _ = correct_run(made, partly, Posthoc("logit-adjustment"))
    before, after = made.conditionals, adjusted.conditionals
    assert before is not None
    assert after is not None
    train = partly.rows("train")
    labels, known = partly.labels(train), partly.known(train)
    truth, asked = tree.targets(labels, known), tree.mask(labels, known)
    for column in range(len(tree.nodes)):
        answers = [bool(truth[row, column]) for row in range(len(train)) if asked[row, column]]
        odds = sum(answers) / (len(answers) - sum(answers))
        np.testing.assert_allclose(after[:, column], expit(logit(before[:, column]) - np.log(odds)), rtol=1e-10)
    np.testing.assert_allclose(adjusted.probs, tree.marginals_from_conditionals(after))


def test_adjusted_the_cut_at_one_half_is_the_cut_for_the_balanced_error() -> None:
    """Two normals: the posterior equals the prevalence exactly half-way between them, whatever the prevalence."""
    pi, middle = 0.03, np.array([0.0])
    posterior = expit(2 * middle + np.log(pi / (1 - pi)))  # means at -1 and 1, spread 1
    assert expit(logit(posterior) - np.log(pi / (1 - pi))) == pytest.approx(0.5)


# Prior shift


def em(probs: np.ndarray, before: float, weights: np.ndarray | None = None, turns: int = 20_000) -> float:
    """Saerens, Latinne and Decaestecker, equations 2.4 and 2.9, turn by turn for two classes."""
    weights = np.ones(len(probs)) if weights is None else weights
    prior, after = np.array([1 - before, before]), np.array([1 - before, before])
    posterior = np.column_stack([1 - probs, probs])
    for _ in range(turns):
        scaled = posterior * (after / prior)
        scaled /= scaled.sum(axis=1, keepdims=True)
        last, after = after, (weights[:, None] * scaled).sum(axis=0) / weights.sum()
        if abs(last[1] - after[1]) < 1e-12:
            break
    return float(after[1])


def population(rng: np.random.Generator, n: int, share: float, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers, and one score an image: normal, `apart` between those that hold and those that do not."""
    truth = rng.random(n) < share
    return truth, rng.normal(size=n) + apart * truth


def posterior(scores: np.ndarray, share: float, apart: float) -> np.ndarray:
    """Bayes' rule for `population`."""
    return np.asarray(expit(apart * scores - apart**2 / 2 + np.log(share / (1 - share))))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.6), st.floats(0.1, 0.6), st.booleans())
def test_halving_ends_where_the_turns_of_em_end(seed: int, before: float, after: float, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    _, scores = population(rng, 400, after, 2.0)
    probs = posterior(scores, before, 2.0)
    weights = rng.random(400) if weighted else None
    assert likeliest_prevalence(probs, before, weights) == pytest.approx(em(probs, before, weights, 3000), abs=1e-6)


def test_a_shift_that_was_put_in_is_found_and_undone() -> None:
    """58 % to 39 %, as No Finding of ChestX-ray14 goes from train_val to test, and a rare finding that triples."""
    rng = np.random.default_rng(0)
    for before, after in [(0.58, 0.39), (0.03, 0.10)]:
        truth, scores = population(rng, 25_000, after, 1.5)
        probs = posterior(scores, before, 1.5)
        found = likeliest_prevalence(probs, before)
        assert found == pytest.approx(after, abs=0.012)
        corrected = shift(probs, before, found)
        np.testing.assert_allclose(shift(probs, before, after), posterior(scores, after, 1.5), rtol=1e-9)
        assert corrected.mean() == pytest.approx(found, abs=1e-6), "equation 2.9 holds"
        assert ((corrected - truth) ** 2).mean() < ((probs - truth) ** 2).mean()
        assert p_unchanged(probs, before, found) < 1e-6


def test_without_calibration_the_estimate_is_wrong() -> None:
    """The page says so: over-sure scores make a prevalence that is not there."""
    _, scores = population(np.random.default_rng(1), 20_000, 0.1, 1.0)
    right = posterior(scores, 0.1, 1.0)
    sure = expit(3 * logit(right))
    assert likeliest_prevalence(right, 0.1) == pytest.approx(0.1, abs=0.02)
    assert abs(likeliest_prevalence(sure, 0.1) - 0.1) > 0.03


def test_labels_that_are_wrong_move_what_is_estimated() -> None:
    """A calibration on noisy labels is one to noisy labels: what is estimated is their share, not the findings'."""
    rng = np.random.default_rng(2)
    truth, scores = population(rng, 40_000, 0.2, 2.0)
    noisy = truth ^ (rng.random(40_000) < 0.1)
    curve = fit_platt(noisy, posterior(scores, 0.2, 2.0))
    _, fresh = population(rng, 40_000, 0.2, 2.0)
    calibrated = curve(posterior(fresh, 0.2, 2.0))
    found = likeliest_prevalence(calibrated, float(curve(posterior(scores, 0.2, 2.0)).mean()))
    assert found == pytest.approx(noisy.mean(), abs=0.02)
    assert found > 0.24


def test_the_likelihood_ratio_is_compared_with_chi_square() -> None:
    probs = np.array([0.2, 0.7, 0.1, 0.4])
    after = likeliest_prevalence(probs, 0.2)
    gain = 2 * np.log(probs * after / 0.2 + (1 - probs) * (1 - after) / 0.8).sum()
    assert p_unchanged(probs, 0.2, after) == pytest.approx(chi2.sf(gain, 1))
    assert p_unchanged(probs, 0.2, 0.2) == pytest.approx(1.0)


def test_the_test_rejects_as_often_as_it_says_where_nothing_changed() -> None:
    rng = np.random.default_rng(3)
    values = []
    for _ in range(300):
        _, scores = population(rng, 500, 0.3, 1.5)
        probs = posterior(scores, 0.3, 1.5)
        values.append(p_unchanged(probs, 0.3, likeliest_prevalence(probs, 0.3)))
    assert np.mean(np.array(values) < 0.05) == pytest.approx(0.05, abs=0.035)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_an_estimate_is_a_share_and_never_swallows_all_images(values: list[float], before: float) -> None:
    probs = np.array(values)
    found = likeliest_prevalence(probs, before)
    assert 0 < found < 1
    after = shift(probs, before, found)
    assert ((after >= 0) & (after <= 1)).all()
    assert (after[probs > 1e-300] > 0).all()


@pytest.mark.parametrize("tree", TREES, ids=["study", "clinical"])
def test_down_a_tree_each_node_is_estimated_among_the_images_where_its_parent_is_likely(tree: Taxonomy) -> None:
    rng = np.random.default_rng(4)
    answers = rng.beta(2, 3, (200, len(tree.nodes)))
    before = rng.uniform(0.2, 0.5, len(tree.nodes))
    corrected, found = shift_all(answers, before, tree)
    above: dict[str | None, np.ndarray] = {None: np.ones(200)}
    for column, node in enumerate(tree.nodes):
        weights = above[tree.parent(node)]
        expected = em(answers[:, column], before[column], weights, 3000)
        if 0.02 < expected < 0.98:
            assert found.after[column] == pytest.approx(expected, abs=1e-5)
        after = float(found.after[column])
        np.testing.assert_allclose(corrected[:, column], shift(answers[:, column], before[column], after))
        above[node] = weights * corrected[:, column]


def test_a_tree_finds_shifts_at_every_level() -> None:
    """A finding, then a part of the findings, then one of them: all three shares move, and all three are found."""
    tree = TREES[0]
    rng = np.random.default_rng(5)
    before, after = np.full(len(tree.nodes), 0.3), np.full(len(tree.nodes), 0.45)
    holds, answers = np.ones((30_000, len(tree.nodes)), bool), np.empty((30_000, len(tree.nodes)))
    for column, node in enumerate(tree.nodes):
        parent = tree.parent(node)
        above = np.ones(30_000, bool) if parent is None else holds[:, tree.nodes.index(parent)]
        truth, scores = population(rng, 30_000, after[column], 2.5)
        holds[:, column] = truth & above
        answers[:, column] = posterior(scores, before[column], 2.5)
    found = shift_all(answers, before, tree)[1]
    np.testing.assert_allclose(found.after, after, atol=0.03)


def test_nothing_moves_where_the_test_sees_no_change() -> None:
    _, scores = population(np.random.default_rng(6), 500, 0.3, 1.5)
    answers = posterior(scores, 0.3, 1.5)[:, None]
    corrected, found = shift_all(answers, np.array([0.3]), alpha=0.001)
    assert found.p[0] > 0.001
    assert np.array_equal(corrected, answers)
    assert not np.array_equal(shift_all(answers, np.array([0.3]))[0], answers)


# All of them


@EITHER
@pytest.mark.parametrize("kind", POSTHOC)
def test_no_test_label_is_ever_read(
    kind: str, tree: Taxonomy | None, partly: Cohort, make_predictions: MakePredictions
) -> None:
    made = make_predictions(partly, tree=tree)
    one, record = correct_run(made, partly, Posthoc(kind))
    other, again = correct_run(made, scrambled(partly, "test"), Posthoc(kind))
    assert one.frame.equals(other.frame)
    for answer, told in record["answers"].items():
        for each in (told, again["answers"][answer]):
            each.get("prevalence", {}).pop("test", None)
    assert record == again
    elsewhere = correct_run(made, scrambled(partly, "val"), Posthoc(kind))[0]
    assert one.frame.equals(elsewhere.frame) == (kind == "logit-adjustment"), "the others are fitted on val"


@EITHER
@pytest.mark.parametrize("kind", POSTHOC)
def test_no_node_is_likelier_than_its_parent(
    kind: str, tree: Taxonomy | None, partly: Cohort, make_predictions: MakePredictions
) -> None:
    made = make_predictions(partly, tree=tree)
    after = correct_run(made, partly, Posthoc(kind))[0]
    assert after.frame[["image_id", "split"]].equals(made.frame[["image_id", "split"]])
    assert after.taxonomy == made.taxonomy
    if tree is not None:
        given_parent = after.conditionals
        assert given_parent is not None
        np.testing.assert_allclose(after.probs, tree.marginals_from_conditionals(given_parent))
        assert (after.probs <= 1 - after.probs[:, [NONE]] + 1e-12)[:, :NONE].all()


@pytest.mark.parametrize("kind", [kind for kind in POSTHOC if kind != "isotonic"])
def test_ranking_metrics_of_a_flat_run_cannot_change(
    kind: str, partly: Cohort, make_predictions: MakePredictions
) -> None:
    made = make_predictions(partly)
    after = correct_run(made, partly, Posthoc(kind))[0]
    for split in ("val", "test"):
        rows = partly.rows(split)
        truth, known = partly.labels(rows), partly.known(rows)
        for metric in (metrics.auroc, metrics.average_precision):
            before = metric(truth, made.align(partly, split)[0], known)
            np.testing.assert_array_equal(metric(truth, after.align(partly, split)[0], known), before)
    assert not np.allclose(after.probs, made.probs)


def test_isotonic_merges_images_and_so_may_change_them(partly: Cohort, make_predictions: MakePredictions) -> None:
    made = make_predictions(partly)
    after = correct_run(made, partly, Posthoc("isotonic"))[0]
    assert len(np.unique(after.probs[:, 0])) < len(np.unique(made.probs[:, 0]))
    order = np.argsort(made.probs[:, 0])
    assert (np.diff(after.probs[order, 0]) >= 0).all()


@EITHER
@pytest.mark.parametrize("kind", ["platt", "isotonic", "beta", "em"])
def test_calibration_brings_probabilities_to_the_prevalence(
    kind: str, tree: Taxonomy | None, make_cohort: Callable[..., Cohort], make_predictions: MakePredictions
) -> None:
    """Of each label, and down a tree of each node where it is asked; the test population is that of validation.

    Nothing is promised of a tree's marginals: where a parent does not hold, its children's answers were never fitted.
    """
    cohort = make_cohort(1500, seed=2)
    made = make_predictions(cohort, skill=2.0, tree=tree)
    after = correct_run(made, cohort, Posthoc(kind))[0]
    truth, counts = true_answers(made, cohort, "test")
    test = (made.frame["split"] == "test").to_numpy()
    before, now = answers_of(made)[test], answers_of(after)[test]
    assert np.nanmean(metrics.brier(truth, now, counts)) < np.nanmean(metrics.brier(truth, before, counts))
    for column in range(truth.shape[1]):
        rows = counts[:, column]
        if kind != "em" and rows.sum() > 300:
            assert now[rows, column].mean() == pytest.approx(truth[rows, column].mean(), abs=0.06)


def test_a_finding_that_val_never_shows_stays_as_it_is_and_says_so(
    partly: Cohort, make_predictions: MakePredictions
) -> None:
    table = partly.table.copy()
    val = partly.rows("val")
    # An image that had nothing but a Hernia now has nothing; where labels are unknown, that is unknown too.
    table["Hernia"] = table["Hernia"].astype("boolean")
    table.loc[val, "Hernia"] = False
    table["No Finding"] = table["No Finding"].astype("boolean")
    findings = table.loc[val, list(NIH15.findings)].astype("boolean")
    table.loc[val, "No Finding"] = (~findings.any(axis=1, skipna=False)).to_numpy()
    cohort = Cohort(table, NIH15)
    made = make_predictions(partly)
    for kind in ("temperature", "platt", "isotonic", "beta", "em"):
        after, record = correct_run(made, cohort, Posthoc(kind))
        assert "alike" in record["answers"]["Hernia"]["left_alone"]
        assert np.array_equal(after.frame["Hernia"], made.frame["Hernia"])
        if kind == "em":
            assert record["answers"]["Hernia"]["prevalence"]["estimated"] is None


def test_a_finding_that_training_never_shows_is_not_adjusted(partly: Cohort, make_predictions: MakePredictions) -> None:
    train = partly.rows("train")
    keep = np.setdiff1d(np.arange(len(partly)), train[partly.labels(train)[:, NIH15.index("Hernia")]])
    cohort = Cohort(partly.table.iloc[keep].reset_index(drop=True), NIH15)
    after, record = correct_run(make_predictions(cohort), cohort, Posthoc("logit-adjustment"))
    assert "left_alone" in record["answers"]["Hernia"]
    assert np.array_equal(after.frame["Hernia"], make_predictions(cohort).frame["Hernia"])


def test_without_validation_images_nothing_is_fitted() -> None:
    space = LabelSpace("ab", ("a", "b"), None)
    made = Predictions.from_arrays(["1"], "test", [[0.5, 0.5]], space)

    table = make_table(["1"], ["p"], np.array([[True, False]]), space, split="test", source="x")
    with pytest.raises(PredictionsError, match="'platt' has nothing to be fitted on"):
        correct_run(made, Cohort(table, space), Posthoc("platt"))


def test_every_line_is_followed_by_its_corrections(cohort: Cohort, make_predictions: MakePredictions) -> None:
    runs = [RunResult(seed, make_predictions(cohort, seed=seed), cost={"parameters": 7}) for seed in (0, 1)]
    lines = with_posthoc({"a": runs, "b": runs[:1]}, cohort, parse_posthoc("platt,logit-adjustment:tau=0.5"))
    assert list(lines) == [
        "a", "b", "a+platt", "a+logit-adjustment:tau=0.5", "b+platt", "b+logit-adjustment:tau=0.5",
    ]  # fmt: skip
    assert lines["a"] == runs
    for run, corrected in zip(runs, lines["a+platt"], strict=True):
        assert (corrected.seed, corrected.cost, corrected.architecture) == (run.seed, run.cost, run.architecture)
        assert corrected.derived is not None
        assert corrected.derived.of == ("a",)
        alone = correct_run(run.predictions, cohort, Posthoc("platt"))[0]
        assert corrected.predictions.frame.equals(alone.frame)


# Names


def test_names_are_read_as_they_are_written() -> None:
    for text in ("platt", "logit-adjustment", "logit-adjustment:tau=0.5", "em:alpha=0.05"):
        assert Posthoc.parse(text).name == text
    assert Posthoc.parse("logit-adjustment:tau=1").name == "logit-adjustment"
    assert [one.name for one in parse_posthoc("all")] == list(POSTHOC)
    assert parse_posthoc("none") == ()
    assert [one.name for one in parse_posthoc("em, beta")] == ["em", "beta"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plat", "Did you mean 'platt'"), ("", "names corrections"), ("em,em", "twice"), ("em,,beta", "no post-hoc"),
        ("my.py:curve", "KEY=NUMBER"), ("logit-adjustment:tau=x", "KEY=NUMBER"),
        ("logit-adjustment:tau", "KEY=NUMBER"), ("logit-adjustment:tau=0", "posthoc.tau"),
        ("em:alpha=2", "posthoc.alpha"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_are_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_posthoc(text)


def test_a_setting_of_another_correction_is_named() -> None:
    with pytest.raises(RecipeError, match=r"It belongs to posthoc\.kind logit-adjustment"):
        parse_posthoc("platt:tau=1")
