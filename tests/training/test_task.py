import numpy as np
import pytest
import scipy.special

from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.task import cascade_tasks, flat_task, shared_task, sigmoid

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


def test_sigmoid_is_exact_where_the_naive_one_overflows() -> None:
    x = np.array([-800.0, -80.0, 0.0, 80.0, 800.0])
    assert np.allclose(sigmoid(x), scipy.special.expit(x), rtol=1e-12, atol=0)
