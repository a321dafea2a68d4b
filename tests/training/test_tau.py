"""tau-normalisation against its formula, and what it can change of a sigmoid classifier: no ranking of images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from chestxpert.evaluation.metrics import auroc, average_precision
from chestxpert.labels import NIH15
from chestxpert.models.heads import ConditionalHeads, StudyHead
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.task import Task, flat_task, shared_task
from chestxpert.training.tau import GRID, choose_tau, normalise_last

TREE = study_taxonomy(NIH15)
SIZES = [len(decision.children) for decision in TREE.decisions]
Make = Callable[[], StudyHead | ConditionalHeads]


def flat_head() -> StudyHead:
    return StudyHead(6, len(NIH15), (5,), (0.3,))


def shared_head() -> ConditionalHeads:
    return ConditionalHeads(6, SIZES, (5,), (0.3,))


def drawn(make: Make, seed: int = 0) -> StudyHead | ConditionalHeads:
    """A head with weights of very different lengths, in evaluation."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = make()
        with torch.no_grad():
            for layer in head.last:
                layer.weight.mul_(torch.rand(layer.out_features, 1) * 6 + 0.05)
                layer.bias.normal_()
    return head.eval()


def logits_of(head: StudyHead | ConditionalHeads, features: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return head(torch.from_numpy(features).float()).double().numpy()


def labels_and_features(seed: int = 1, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.random((rows, len(NIH15))) < 0.25
    labels[:, NIH15.index("No Finding")] = ~np.delete(labels, NIH15.index("No Finding"), axis=1).any(axis=1)
    return labels, rng.normal(size=(rows, 6))


@pytest.mark.parametrize("make", [flat_head, shared_head])
@pytest.mark.parametrize(("tau", "bias"), [(0.0, 1.0), (0.3, 1.0), (1.0, 0.0), (0.7, 0.5)])
def test_weights_are_divided_by_a_power_of_their_length(make: Make, tau: float, bias: float) -> None:
    head, before = drawn(make), drawn(make)
    normalise_last(head, tau, bias)
    for layer, old in zip(head.last, before.last, strict=True):
        for row in range(old.out_features):
            w = old.weight[row].detach().double().numpy()
            expected = w / np.sqrt((w**2).sum()) ** tau
            assert np.allclose(layer.weight[row].detach().numpy(), expected, rtol=1e-5)
            assert layer.bias[row].item() == pytest.approx(bias * old.bias[row].item())
    kept = {key for key in head.state_dict() if not key.startswith("out")}
    assert kept
    for key in kept:
        assert torch.equal(head.state_dict()[key], before.state_dict()[key])


def test_by_hand() -> None:
    head = StudyHead(2, 2, (), ())
    with torch.no_grad():
        head.out.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        head.out.bias.copy_(torch.tensor([-2.0, 5.0]))
    normalise_last(head, 1.0, 0.5)
    assert head.out.weight.tolist() == [pytest.approx([0.6, 0.8]), [0.0, 0.0]]  # a length of 0 divides nothing
    assert head.out.bias.tolist() == [-1.0, 2.5]


@pytest.mark.parametrize("bias", [1.0, 0.4])
@pytest.mark.parametrize("kind", ["flat", "shared"])
def test_tau_is_chosen_by_the_macro_f1_of_decisions_at_one_half(kind: str, bias: float) -> None:
    """Each tau of the grid is really put into a head here, which is asked again."""
    labels, features = labels_and_features()
    known = np.random.default_rng(5).random(labels.shape) < 0.8
    make: Make = flat_head if kind == "flat" else shared_head
    task: Task = flat_task(labels, NIH15, known) if kind == "flat" else shared_task(labels, TREE, known)
    rows = np.arange(10, 55)
    record = choose_tau(logits_of(drawn(make), features[rows]), drawn(make), bias, task, rows)
    expected = {}
    for tau in GRID:
        head = drawn(make)
        normalise_last(head, tau, bias)
        logits = logits_of(head, features[rows])
        probs = 1 / (1 + np.exp(-logits)) if kind == "flat" else TREE.marginals(logits)
        scores = []
        for column in range(len(NIH15)):
            asked = known[rows, column]
            truth, decided = labels[rows, column][asked], probs[asked, column] >= 0.5
            if truth.any():
                scores.append(f1_score(truth, decided, zero_division=0.0))
        expected[f"{tau:g}"] = np.mean(scores)
    assert record["scores"] == pytest.approx(expected)
    best = max(expected.values())
    assert record["tau"] == min(float(tau) for tau, score in record["scores"].items() if score == pytest.approx(best))
    assert len(set(expected.values())) > 3  # so there was something to choose


def test_of_equal_scores_the_least_tau_is_taken() -> None:
    labels, _ = labels_and_features()
    task = flat_task(labels, NIH15)
    sure = np.where(labels, 60.0, -60.0)
    head = drawn(flat_head)
    with torch.no_grad():
        head.last[0].bias.zero_()
    assert choose_tau(sure, head, 1.0, task, np.arange(len(labels)))["tau"] == 0.0


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 2.0),
    st.floats(0.0, 1.0),
)
def test_of_a_flat_classifier_it_changes_neither_auroc_nor_average_precision(
    seed: int, tau: float, bias: float
) -> None:
    """Per label the logit is scaled and shifted, which keeps the order of images; what is decided at 0.5 may change."""
    rng = np.random.default_rng(seed)
    truth = rng.random((30, 3)) < 0.4
    evidence = rng.integers(-40, 40, size=(30, 3)).astype(np.float64)  # with ties, which stay ties
    own, length = rng.normal(size=3), rng.uniform(0.1, 5.0, size=3)
    before, after = evidence + own, evidence / length**tau + bias * own
    assert np.array_equal(auroc(truth, before), auroc(truth, after), equal_nan=True)
    assert np.array_equal(average_precision(truth, before), average_precision(truth, after), equal_nan=True)
    assert best_f1(truth, before) == best_f1(
        truth, after
    )  # so neither can decisions at thresholds chosen for each label


def best_f1(truth: np.ndarray, scores: np.ndarray) -> list[float]:
    """For each label, the best F1 that any threshold reaches, by trying all."""
    return [
        max(f1_score(held, column >= cut, zero_division=0.0) for cut in np.unique(column))
        for held, column in zip(truth.T, scores.T, strict=True)
    ]


def test_decisions_at_one_half_can_change() -> None:
    """Weights of length 0.2, a bias of -1: evidence of 0.6 for a finding is not enough, until it is divided by 0.2."""
    head = StudyHead(1, 1, (), ())
    with torch.no_grad():
        head.out.weight.fill_(0.2)
        head.out.bias.fill_(-1.0)
    assert logits_of(head, np.array([[3.0]])).item() == pytest.approx(-0.4)
    normalise_last(head, 1.0, 1.0)
    assert logits_of(head, np.array([[3.0]])).item() == pytest.approx(2.0)


def test_along_a_tree_it_can_change_the_order_of_images() -> None:
    """Products mix scaled logits of several decisions: here two images change places for Effusion."""
    effusion, any_finding = TREE.nodes.index("Effusion"), 0
    logits = np.zeros((2, len(TREE.nodes)))
    logits[0, [any_finding, effusion]] = 4.0, -1.0
    logits[1, [any_finding, effusion]] = -0.4, 1.5
    column = NIH15.index("Effusion")
    before = TREE.marginals(logits)[:, column]
    scaled = logits.copy()
    scaled[:, effusion] *= 0.1
    after = TREE.marginals(scaled)[:, column]
    assert before[0] < before[1]
    assert after[0] > after[1]
