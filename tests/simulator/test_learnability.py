"""The instrument measures: a plain classifier learns easy signs, hard ones less, and nothing without signs."""

from functools import lru_cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chestxpert.simulator.render import Scene, render

SIZE, CELLS, EACH = 64, 16, 99
FINDINGS = ("Cardiomegaly", "Effusion", "Emphysema", "Consolidation", "Edema")


@lru_cache(maxsize=16)
def features(first: int, findings: tuple[str, ...], difficulty: float) -> np.ndarray:
    """Block averages of images of patients that no other call draws, shape (EACH, CELLS * CELLS)."""
    scenes = [Scene(first + k, 0, "AP" if k % 5 < 2 else "PA", "MF"[k % 2], 30 + k % 40, findings) for k in range(EACH)]
    images = np.stack([render(scene, SIZE, difficulty, 11).pixels for scene in scenes]).astype(np.float32)
    block = SIZE // CELLS
    return images.reshape(EACH, CELLS, block, CELLS, block).mean(axis=(2, 4)).reshape(EACH, -1)


def auroc(healthy: np.ndarray, sick: np.ndarray) -> float:
    """Of a logistic regression, fitted on two thirds of the patients, on the others."""
    cut = 2 * EACH // 3
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=500))
    model.fit(np.concatenate([healthy[:cut], sick[:cut]]), [0] * cut + [1] * cut)
    scores = model.decision_function(np.concatenate([healthy[cut:], sick[cut:]]))
    return float(roc_auc_score([0] * (EACH - cut) + [1] * (EACH - cut), scores))


def macro_auroc(difficulty: float, signs: bool = True) -> float:
    healthy = features(1, (), difficulty)
    drawn = [(name,) if signs else () for name in FINDINGS]
    return float(np.mean([auroc(healthy, features(1000 * k, f, difficulty)) for k, f in enumerate(drawn, 1)]))


@pytest.fixture(scope="module")
def easy() -> float:
    return macro_auroc(0.2)


def test_easy_signs_are_learnt(easy: float) -> None:
    assert easy > 0.85


def test_hard_signs_are_learnt_less(easy: float) -> None:
    assert 0.5 < macro_auroc(0.9) < easy - 0.1


def test_nothing_is_learnt_where_signs_are_not_drawn() -> None:
    assert abs(macro_auroc(0.2, signs=False) - 0.5) < 0.08
