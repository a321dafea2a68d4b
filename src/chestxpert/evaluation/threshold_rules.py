"""The catalogue of rules by which a threshold is chosen on validation rows, and what each is asked for in one word.

``f1``, ``youden``, ``sensitivity=0.9``, ``specificity=0.9`` and ``cost=5``. A cut lies half-way between the lowest
score it lets through and the highest it keeps out, as `chestxpert.evaluation.thresholds.best_f1_threshold` says; of
several that are equally good the highest is taken, which raises the fewest false alarms.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.errors import UsageError
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.evaluation.thresholds import best_f1_threshold

_ROUNDING = 1e-9  # so that 90 % of 10 are 9 of them


@dataclass(frozen=True, eq=False)
class Cuts:
    """Every way to cut a label's scores in two, from nothing let through to everything.

    Parameters
    ----------
    values : (C,) float64 array
        Falling thresholds; the first is above every score.
    hits, alarms : (C,) int64 arrays
        Positives and negatives let through.
    """

    values: FloatArray
    hits: npt.NDArray[np.int64]
    alarms: npt.NDArray[np.int64]

    @classmethod
    def of(cls, truth: BoolArray, scores: FloatArray) -> Cuts:
        """Cuts of (n,) arrays, n at least 1."""
        order = np.argsort(-scores)  # equal scores in any order: no cut lies between them
        ranked, held = scores[order], truth[order]
        ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
        kept, next_lower = ranked[ends[:-1]], ranked[ends[:-1] + 1]
        middle = (kept + next_lower) / 2
        # Two neighbouring floats have no number between them.
        between = np.where(middle > next_lower, middle, kept)
        values = np.concatenate([[np.nextafter(ranked[0], np.inf)], between, ranked[-1:]])
        hits = np.append(0, np.cumsum(held)[ends])
        return cls(values, hits, np.append(0, ends + 1) - hits)

    @property
    def positives(self) -> int:
        """Positive rows."""
        return int(self.hits[-1])

    @property
    def negatives(self) -> int:
        """Negative rows."""
        return int(self.alarms[-1])


@dataclass(frozen=True)
class ThresholdRule:
    """One rule, and the number it was given.

    Parameters
    ----------
    name : str
        Of `RULES`.
    value : float or None
        For the rules that take a number.

    Raises
    ------
    UsageError
        If there is no such rule, or the number is missing, superfluous or out of range.
    """

    name: str = "f1"
    value: float | None = None

    def __post_init__(self) -> None:
        if self.name not in RULES:
            near = difflib.get_close_matches(self.name, RULES, n=1)
            raise UsageError(
                f"There is no threshold rule '{self.name}'."
                + (f" Did you mean '{near[0]}'?" if near else f" There is: {', '.join(rule_words())}.")
            )
        kind = RULES[self.name]
        if kind.least is None:
            if self.value is not None:
                raise UsageError(f"The threshold rule '{self.name}' takes no number, but got {self.value:g}.")
        elif self.value is None or not kind.least < self.value <= kind.most or not math.isfinite(self.value):
            raise UsageError(
                f"The threshold rule '{self.name}' takes {kind.range_words}, such as {self.name}={kind.example:g}, "
                f"but got {'none' if self.value is None else format(self.value, 'g')}."
            )

    @classmethod
    def parse(cls, text: str) -> ThresholdRule:
        """Rule from its word, such as ``youden`` or ``sensitivity=0.9``; UsageError if it is none."""
        name, given, number = text.strip().partition("=")
        try:
            value = float(number) if given else None
        except ValueError:
            raise UsageError(f"The threshold rule '{text}' ends in {number!r}, which is no number.") from None
        return cls(name.strip(), value)

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value:g}"

    @property
    def sentence(self) -> str:
        """What it chooses, for a reader of the results."""
        return RULES[self.name].sentence.format(value=self.value)

    def threshold(self, truth: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
        """Threshold chosen on these rows.

        Parameters
        ----------
        truth : (n,) bool array
        scores : (n,) array of real numbers

        Returns
        -------
        float, or None without a positive, or without a negative where the rule asks for specificity or costs.
        """
        held, values = np.asarray(truth, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
        if self.name == "f1":
            return best_f1_threshold(held, values)
        if not held.any() or (held.all() and self.name != "sensitivity"):
            return None
        cuts = Cuts.of(held, values)
        return float(cuts.values[RULES[self.name].choose(cuts, 0.0 if self.value is None else self.value)])


@dataclass(frozen=True)
class _Kind:
    """A rule of the catalogue: what it says, which numbers it takes, and which cut it chooses."""

    sentence: str
    choose: Callable[[Cuts, float], int]
    least: float | None = None
    most: float = 1.0
    example: float = 0.9

    @property
    def range_words(self) -> str:
        """Which numbers it takes."""
        return f"a number above {self.least:g}" + ("" if math.isinf(self.most) else f" and at most {self.most:g}")


def _youden(cuts: Cuts, _: float) -> int:
    # Over a common denominator, so that what is equal is equal.
    return int(np.argmax(cuts.hits * cuts.negatives - cuts.alarms * cuts.positives))


def _sensitivity(cuts: Cuts, wanted: float) -> int:
    return int(np.argmax(cuts.hits >= wanted * cuts.positives - _ROUNDING))


def _specificity(cuts: Cuts, wanted: float) -> int:
    allowed = math.floor(cuts.negatives * (1 - wanted) + _ROUNDING)
    passing = np.flatnonzero(cuts.alarms <= allowed)
    # The most positives within what is allowed, by the highest threshold that finds them.
    return int(np.argmax(cuts.hits == cuts.hits[passing[-1]]))


def _cost(cuts: Cuts, price: float) -> int:
    return int(np.argmin(cuts.alarms + price * (cuts.positives - cuts.hits)))


RULES: dict[str, _Kind] = {
    "f1": _Kind("the highest F1", lambda cuts, _: 0),  # best_f1_threshold, which early stopping uses too
    "youden": _Kind("the highest sensitivity + specificity - 1 (Youden, Cancer 3, 1950)", _youden),
    "sensitivity": _Kind("the highest threshold with a sensitivity of at least {value:g}", _sensitivity, 0.0),
    "specificity": _Kind("the highest sensitivity with a specificity of at least {value:g}", _specificity, 0.0),
    "cost": _Kind("the least cost, a missed finding costing {value:g} times a false alarm", _cost, 0.0, math.inf, 5.0),
}
"""Every rule by its name. All are applied to validation rows and nowhere else."""

F1 = ThresholdRule()


def rule_words() -> list[str]:
    """How each rule is asked for."""
    return [name if kind.least is None else f"{name}={kind.example:g}" for name, kind in RULES.items()]
