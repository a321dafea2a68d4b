from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.task import cascade_tasks, flat_task, shared_task

TREE = study_taxonomy(NIH15)


def rows(*names: str) -> np.ndarray:
    return np.stack([NIH15.encode(name.split("|")) for name in names])


LABELS = rows("No Finding", "Effusion", "Hernia", "Mass|Edema")


def test_flat_asks_every_label_of_every_row() -> None:
    task = flat_task(LABELS, NIH15)
    assert task.outputs == NIH15.labels
    assert task.known.all()
    assert task.eligible.all()
    assert np.array_equal(task.targets, LABELS)


def test_shared_asks_a_decision_only_where_its_parent_holds() -> None:
    task = shared_task(LABELS, TREE)
    assert task.head is TREE
    assert task.known[:, 0].all()  # A is asked of everyone
    assert task.known[:, 1].tolist() == [False, True, True, True]  # B of rows with a finding
    assert task.known[:, 7].tolist() == [False, False, True, True]  # C of rows with a minority finding


def test_cascade_networks_see_the_rows_of_their_decision_alone() -> None:
    a, b, c = cascade_tasks(LABELS, TREE)
    assert a.eligible.tolist() == [True, True, True, True]
    assert b.eligible.tolist() == [False, True, True, True]
    assert c.eligible.tolist() == [False, False, True, True]
    assert b.outputs == (*TREE.decisions[1].children,)
    minority = b.outputs.index("minority")
    assert b.targets[:, minority].tolist() == [False, False, True, True]


def test_shared_is_scored_on_findings_not_on_nodes() -> None:
    task = shared_task(LABELS, TREE)
    logits = np.where(task.targets, 8.0, -8.0)
    ap, auroc = task.score(logits, np.arange(4))
    assert ap == pytest.approx(1.0)
    assert auroc == pytest.approx(1.0)
    assert task.to_probs(logits).shape == LABELS.shape


def test_score_belongs_to_the_rows_given() -> None:
    task = flat_task(LABELS, NIH15)
    logits = np.where(LABELS[[2, 0]], 3.0, -3.0)
    assert task.score(logits, np.array([2, 0]))[0] == pytest.approx(1.0)
    assert task.score(logits, np.array([0, 2]))[0] < 1.0


UNKNOWN = [
    ["Mass", "No Finding"],  # no finding that is known of, but Mass may be there
    ["Hernia"],  # Effusion is there, Hernia may be
    ["Mass"],  # Hernia is there, Mass may be
    ["Mass", "Edema"],  # a finding there is, but it is hidden: common or rare, nobody knows
    [*NIH15.labels],
]


def unknown_case() -> tuple[np.ndarray, np.ndarray]:
    labels = rows("No Finding", "Effusion", "Hernia", "Mass|Edema", "Effusion")
    known = ~np.stack([NIH15.encode(names) for names in UNKNOWN])
    return labels & known, known


def test_flat_asks_what_is_known_of_every_row_that_tells() -> None:
    labels, known = unknown_case()
    task = flat_task(labels, NIH15, known)
    assert np.array_equal(task.known, known)
    assert np.array_equal(task.scored_known, known)
    assert task.eligible.tolist() == [True, True, True, True, False]


def test_shared_asks_where_the_parent_is_known_to_hold() -> None:
    labels, known = unknown_case()
    task = shared_task(labels, TREE, known)
    asked = {name: task.known[:, TREE.nodes.index(name)].tolist() for name in TREE.nodes}
    assert asked["finding"] == [False, True, True, True, False]
    assert asked["Effusion"] == [False, True, True, True, False]
    assert asked["Mass"] == [False, True, False, False, False]
    assert asked["minority"] == [False, False, True, False, False]
    assert asked["Hernia"] == [False, False, True, False, False]
    assert task.targets[:, TREE.nodes.index("finding")].tolist() == [False, True, True, True, False]
    assert task.eligible.tolist() == [False, True, True, True, False]
    assert np.array_equal(task.scored_known, known)


def test_cascade_networks_see_the_rows_where_their_decision_is_known_to_be_asked() -> None:
    labels, known = unknown_case()
    a, b, c = cascade_tasks(labels, TREE, known)
    assert a.eligible.tolist() == b.eligible.tolist() == [False, True, True, True, False]
    assert c.eligible.tolist() == [False, False, True, False, False]
    assert b.known[:, b.outputs.index("Mass")].tolist() == [False, True, False, False, False]
    assert np.array_equal(b.scored_known, b.known)


@pytest.mark.parametrize("architecture", ["flat", "shared", "cascade"])
def test_a_score_is_that_of_the_known_entries(architecture: str, hide: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(4)
    labels = rng.random((80, 15)) < 0.15
    labels[:, NIH15.index("No Finding")] = ~labels[:, :14].any(axis=1)
    known = hide(labels, NIH15, 0.3)
    if architecture == "cascade":
        task = cascade_tasks(labels & known, TREE, known)[1]
    else:
        make = flat_task if architecture == "flat" else shared_task
        task = make(labels & known, NIH15 if architecture == "flat" else TREE, known)  # type: ignore[operator]
    chosen = np.flatnonzero(task.eligible)[::-1]
    logits = rng.normal(size=(len(chosen), len(task.outputs)))
    probs, truth, told = task.to_probs(logits), task.scored[chosen], task.scored_known[chosen]
    columns = [k for k in range(truth.shape[1]) if truth[told[:, k], k].any()]
    ap = [average_precision_score(truth[told[:, k], k], probs[told[:, k], k]) for k in columns]
    assert task.score(logits, chosen)[0] == pytest.approx(np.mean(ap))
    turned = replace(task, scored=task.scored ^ ~task.scored_known)
    assert turned.score(logits, chosen) == task.score(logits, chosen)


def test_a_validation_column_that_nobody_knows_has_no_score() -> None:
    task = flat_task(LABELS, NIH15, np.zeros_like(LABELS))
    assert all(np.isnan(task.score(np.zeros(LABELS.shape), np.arange(4))))
    assert task.unlearnt(np.arange(4)) == NIH15.labels
