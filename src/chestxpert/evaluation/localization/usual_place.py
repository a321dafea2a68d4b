"""The usual place of a finding: the mean of other patients' boxes, which looks at no image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chestxpert.evaluation.localization.cases import Case
from chestxpert.evaluation.localization.geometry import coverage
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.streams import stream_seed

SIDE = 64
"""Cells along each side of the map: 16 of NIH's pixels, where its mean nodule box is 74 wide or high."""

HALVINGS = 20


class UsualPlace:
    """Maps of where a finding's boxes lie, each made from a random half of the patients and held against the other.

    Leaving out only the patient that is measured would be unfair to the baseline. Where boxes are few, the map's
    maximum moves away from just the box that was taken out, and none may be hit; a half hangs less on any one box.

    Parameters
    ----------
    cases : sequence of Case
        Of every split: where findings lie is learnt from boxes of training patients too.
    seed : int
        Decides the halves.
    halvings : int
    """

    def __init__(self, cases: Sequence[Case], seed: int, halvings: int = HALVINGS) -> None:
        patients = sorted({case.patient for case in cases})
        self._halves = []
        for number in range(halvings):
            order = np.random.default_rng(stream_seed(seed, "usual place", number)).permutation(len(patients))
            self._halves.append({patients[place] for place in order[: len(patients) // 2]})
        self._maps: dict[tuple[int, bool, str], FloatArray] = {}
        count: dict[tuple[int, bool, str], int] = {}
        for case in cases:
            cover = coverage(case.boxes, SIDE, SIDE)
            for number, half in enumerate(self._halves):
                key = (number, case.patient in half, case.finding)
                self._maps[key] = self._maps.get(key, np.zeros((SIDE, SIDE))) + cover
                count[key] = count.get(key, 0) + 1
        for key, number in count.items():
            self._maps[key] /= number

    def keys_for(self, case: Case) -> list[tuple[int, bool, str]]:
        """Keys of the maps that a case is held against, one a halving; fewer where the other half lacks the finding."""
        keys = [(number, case.patient not in half, case.finding) for number, half in enumerate(self._halves)]
        return [key for key in keys if key in self._maps]

    def __getitem__(self, key: tuple[int, bool, str]) -> FloatArray:
        """(64, 64) mean over the images of one half of how their boxes cover each cell."""
        return self._maps[key]
