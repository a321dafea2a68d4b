"""What each map scores on its case, and what pointing without looking scores on the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from chestxpert.evaluation.localization.cases import Case
from chestxpert.evaluation.localization.detect import AT, OVERLAPS, BoxRule, detected_boxes, found
from chestxpert.evaluation.localization.geometry import coverage
from chestxpert.evaluation.localization.pointing import chance, energy, hits, pointing
from chestxpert.evaluation.localization.usual_place import SIDE, UsualPlace
from chestxpert.evaluation.metrics import FloatArray, macro

SCORES = ("pointing", "energy", *(f"{overlap}@{at:g}" for overlap in OVERLAPS for at in AT))
"""Measures of a case in [0, 1], more being better: `@` says from which T on a box counts as found."""

COUNTS = (*(f"{overlap}_false@{at:g}" for overlap in OVERLAPS for at in AT), "detected")
"""Numbers of false boxes on the image, and of all detected ones."""

BEST = ("iou", "iobb")
"""The best overlap with any detected box, a mean over the true boxes: for listing cases, not for a claim."""

COLUMNS = (*SCORES, *COUNTS, *BEST)
CHANCE, CENTRE, USUAL = "chance", "centre", "usual place"
BASELINES = (CHANCE, CENTRE, USUAL)


@dataclass(frozen=True)
class Settings:
    """How maps are measured.

    Parameters
    ----------
    rule : BoxRule
        How maps become boxes.
    tolerance : float
        Of the pointing game, in pixels of a 1024 x 1024 frame.
    side : int or None
        Bring every map to so many cells a side first, bilinearly; None measures maps as they are.
    """

    rule: BoxRule
    tolerance: float = 0.0
    side: int | None = None


def resized(heat: FloatArray, side: int | None) -> FloatArray:
    """The map at (side, side) cells by bilinear interpolation between the middles of its cells; itself if None."""
    if side is None or heat.shape == (side, side):
        return heat
    factors = [side / length for length in heat.shape]
    return np.asarray(ndimage.zoom(heat, factors, order=1, mode="nearest", grid_mode=True))


@dataclass(frozen=True, eq=False)
class Reading:
    """A map, and the boxes that each of R rules makes of it.

    Parameters
    ----------
    heat : (h, w) float64 array of finite numbers
    detected : list of R (m, 4) float64 arrays
    """

    heat: FloatArray
    detected: list[FloatArray]

    @classmethod
    def of(cls, heat: FloatArray, rules: Sequence[BoxRule]) -> Reading:
        """Make the boxes, once for all cases that the map is held against."""
        return cls(heat, [detected_boxes(heat, rule) for rule in rules])


def measure_map(
    reading: Reading, case: Case, inside: FloatArray, main: int, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    """What one map scores on one case.

    Parameters
    ----------
    reading : Reading
    case : Case
    inside : (h, w) float64 array
        Share of every cell of the map that lies in the case's boxes, see `geometry.coverage`.
    main : int
        Which of the rules `COLUMNS` are about.
    tolerance : float
        Of the pointing game.

    Returns
    -------
    values : (C,) float64 array
        For each of `COLUMNS`; NaN where the map leaves a measure undefined.
    sweep : (R, 2 T) float64 array
        Shares of the true boxes found under each rule: by IoU at every T of `AT`, then by IoBB.
    """
    counted = found(case.boxes, reading.detected)
    sweep = np.concatenate([counted.shares[name] for name in OVERLAPS], axis=1)
    values = [
        [pointing(reading.heat, case.boxes, tolerance), energy(reading.heat, inside)],
        sweep[main],
        *(counted.false[name][main] for name in OVERLAPS),
        [len(reading.detected[main])],
        [counted.best[name][main] for name in BEST],
    ]
    return np.concatenate(values), sweep


@dataclass(frozen=True, eq=False)
class Measured:
    """One line's values: of a folder of maps, or of a baseline.

    Parameters
    ----------
    values : (N, C) float64 array
        A row a case, a column for each of `COLUMNS`; NaN where undefined.
    sweep : (N, R, 2 T) float64 array
        See `measure_map`; NaN for lines that have no map.
    """

    values: FloatArray
    sweep: FloatArray

    @classmethod
    def undefined(cls, cases: int, rules: int) -> Measured:
        """NaN everywhere, to be filled."""
        return cls(np.full((cases, len(COLUMNS)), np.nan), np.full((cases, rules, 2 * len(AT)), np.nan))


def measure_stored(
    cases: Sequence[Case], map_for: Callable[[int], FloatArray], settings: Settings, rules: Sequence[BoxRule]
) -> Measured:
    """Measure one folder of maps; `map_for` gives the map of a case by its position."""
    line, main = Measured.undefined(len(cases), len(rules)), rules.index(settings.rule)
    for place, case in enumerate(cases):
        reading = Reading.of(resized(map_for(place), settings.side), rules)
        inside = coverage(case.boxes, *reading.heat.shape)
        line.values[place], line.sweep[place] = measure_map(reading, case, inside, main, settings.tolerance)
    return line


def measure_usual(cases: Sequence[Case], usual: UsualPlace, settings: Settings, rules: Sequence[BoxRule]) -> Measured:
    """Measure the usual place of each case's finding: the mean over all halvings of the patients."""
    line, main = Measured.undefined(len(cases), len(rules)), rules.index(settings.rule)
    read: dict[tuple[int, bool, str], Reading] = {}
    for place, case in enumerate(cases):
        keys = usual.keys_for(case)
        for key in keys:
            if key not in read:
                read[key] = Reading.of(usual[key], rules)
        inside = coverage(case.boxes, SIDE, SIDE)
        scored = [measure_map(read[key], case, inside, main, settings.tolerance) for key in keys]
        if scored:
            line.values[place] = macro([values for values, _ in scored], axis=0)
            line.sweep[place] = macro([sweep for _, sweep in scored], axis=0)
    return line


def measure_points(cases: Sequence[Case], rules: int, tolerance: float) -> dict[str, Measured]:
    """The baselines that are no map: a uniformly random point, and the middle of the image."""
    lines = {}
    for name in (CHANCE, CENTRE):
        line = Measured.undefined(len(cases), rules)
        for position, case in enumerate(cases):
            if name == CENTRE:
                line.values[position, COLUMNS.index("pointing")] = hits(0.5, 0.5, case.boxes, tolerance)[0]
            else:
                line.values[position, COLUMNS.index("pointing")] = chance(case.boxes, tolerance)
                line.values[position, COLUMNS.index("energy")] = chance(case.boxes)
        lines[name] = line
    return lines
