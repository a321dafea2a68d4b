from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_curve

from chestxpert.errors import UsageError
from chestxpert.evaluation.threshold_rules import F1, RULES, Cuts, ThresholdRule, rule_words
from chestxpert.evaluation.thresholds import best_f1_threshold, chosen_thresholds

CASES = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.bool_, n), hnp.arrays(np.float64, n, elements=st.integers(0, 15).map(lambda v: v / 15))
    )
)


def every_cut(truth: np.ndarray, scores: np.ndarray) -> list[tuple[float, int, int]]:
    """Threshold, positives and negatives let through, of every cut there is, the highest first."""
    cuts = [np.inf, *sorted(set(scores.tolist()), reverse=True)]
    return [(cut, int((truth & (scores >= cut)).sum()), int((~truth & (scores >= cut)).sum())) for cut in cuts]


def reached(truth: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[int, int]:
    return int((truth & (scores >= threshold)).sum()), int((~truth & (scores >= threshold)).sum())


@settings(max_examples=80, deadline=None)
@given(
    CASES, st.sampled_from(["youden", "sensitivity=0.9", "sensitivity=0.5", "specificity=0.8", "cost=3", "cost=0.2"])
)
def test_no_cut_does_better(case: tuple[np.ndarray, np.ndarray], word: str) -> None:
    truth, scores = case
    rule = ThresholdRule.parse(word)
    chosen = rule.threshold(truth, scores)
    positives, negatives = truth.sum(), (~truth).sum()
    if not positives or (not negatives and rule.name != "sensitivity"):
        assert chosen is None
        return
    assert chosen is not None
    hits, alarms = reached(truth, scores, chosen)
    cuts = every_cut(truth, scores)
    if rule.name == "youden":
        false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
        assert hits / positives - alarms / negatives == pytest.approx((true - false).max())
    elif rule.name == "sensitivity":
        assert hits >= rule.value * positives - 1e-9
        assert alarms == min(a for _, h, a in cuts if h >= rule.value * positives - 1e-9)
    elif rule.name == "specificity":
        good = [(h, a) for _, h, a in cuts if (negatives - a) / negatives >= rule.value - 1e-9]
        assert (negatives - alarms) / negatives >= rule.value - 1e-9
        assert hits == max(h for h, _ in good)
        assert alarms == min(a for h, a in good if h == hits)
    else:
        least = min(a + rule.value * (positives - h) for _, h, a in cuts)
        assert alarms + rule.value * (positives - hits) == pytest.approx(least)


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_the_default_is_the_highest_f1(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = case
    assert F1.threshold(truth, scores) == best_f1_threshold(truth, scores)


def test_by_hand() -> None:
    truth = np.array([True, False, True, False, False, True, False, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    thresholds = {word: ThresholdRule.parse(word).threshold(truth, scores) for word in (
        "youden", "sensitivity=1", "sensitivity=0.6", "specificity=1", "specificity=0.8", "cost=10", "cost=0.1",
    )}  # fmt: skip
    assert thresholds == {
        "youden": pytest.approx(0.65),  # 2/3 - 1/5; letting all three through costs 2/5 more for 1/3
        "sensitivity=1": pytest.approx(0.35),
        "sensitivity=0.6": pytest.approx(0.65),
        "specificity=1": pytest.approx(0.85),
        "specificity=0.8": pytest.approx(0.65),
        "cost=10": pytest.approx(0.35),
        "cost=0.1": pytest.approx(0.85),  # one found for nothing
    }


def test_a_threshold_may_let_nothing_through() -> None:
    truth, scores = np.array([False, True, True]), np.array([1.0, 0.5, 0.4])
    for word in ("specificity=1", "cost=0.1"):
        chosen = ThresholdRule.parse(word).threshold(truth, scores)
        assert chosen is not None
        assert not (scores >= chosen).any()


def test_neighbouring_floats_are_still_told_apart() -> None:
    low = 0.3
    high = float(np.nextafter(low, 1))
    assert Cuts.of(np.array([True, False]), np.array([high, low])).values[1] == high


def test_rules_choose_every_column_on_its_known_rows() -> None:
    rng = np.random.default_rng(0)
    truth, probs, known = rng.random((60, 3)) < 0.3, rng.random((60, 3)), rng.random((60, 3)) < 0.7
    truth[:, 2] = False
    rule = ThresholdRule("youden")
    chosen = chosen_thresholds(truth, probs, known, rule.threshold)
    assert chosen.fallback.tolist() == [False, False, True]
    assert chosen.values[2] == 0.5
    for label in range(2):
        rows = known[:, label]
        assert chosen.values[label] == rule.threshold(truth[rows, label], probs[rows, label])


@pytest.mark.parametrize("word", rule_words())
def test_every_rule_is_asked_for_by_its_word_and_explains_itself(word: str) -> None:
    rule = ThresholdRule.parse(word)
    assert str(rule) == word
    assert rule.name in RULES
    assert "{" not in rule.sentence
    assert (rule.value is None) or f"{rule.value:g}" in rule.sentence


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("yuoden", "Did you mean 'youden'?"),
        ("fixed", "There is: f1, youden, sensitivity=0.9, specificity=0.9, cost=5."),
        ("f1=0.5", "takes no number, but got 0.5"),
        ("sensitivity", "such as sensitivity=0.9, but got none"),
        ("sensitivity=90", "a number above 0 and at most 1, such as sensitivity=0.9, but got 90"),
        ("specificity=nan", "but got nan"),
        ("cost=0", "a number above 0, such as cost=5, but got 0"),
        ("cost=inf", "but got inf"),
        ("cost=five", "'five', which is no number"),
    ],
)
def test_what_is_no_rule_is_explained(word: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ThresholdRule.parse(word)
    assert complaint in str(caught.value)
