"""What a comparison stores of one thing: an estimate, a contrast, the fate of a finding's cases, a node's confusion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chestxpert.evaluation.verdict import FEWEST
from chestxpert.report.scales import decimal


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval over patients; None where it is not defined."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: object) -> Estimate:
        """Estimate from the ``{"mean", "low", "high"}`` of comparison.json; anything else is undefined."""
        if not isinstance(values, Mapping):
            return cls()
        return cls(*(finite(values.get(key)) for key in ("mean", "low", "high")))

    def words(self, digits: int = 3) -> str:
        """For example ``0.742 [0.711, 0.771]``."""
        if self.mean is None or self.low is None or self.high is None:
            return decimal(self.mean, digits)
        return f"{decimal(self.mean, digits)} [{decimal(self.low, digits)}, {decimal(self.high, digits)}]"


@dataclass(frozen=True)
class Contrast:
    """How much recipe `a` exceeds recipe `b` on one metric."""

    a: str
    b: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    kind: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Everything stored on the contrast: other intervals and tests, which older comparisons lack."""

    @property
    def clear(self) -> bool:
        """Whether a difference is shown: the interval leaves zero out and the adjusted p-value is below 0.05.

        Never of lines that share fewer patients than the verdict asks for.
        """
        shared = self.more.get("shared") or {}
        if shared.get("patients", FEWEST) < FEWEST:
            return False
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return False
        return self.p_adjusted is not None and self.p_adjusted < 0.05


@dataclass(frozen=True)
class Fate:
    """What became of the true test cases of one finding, as shares of them; None without cases.

    Attributes
    ----------
    found : float or None
    lost : mapping of decision name to share
        Empty for a recipe without routing.
    """

    found: float | None
    lost: Mapping[str, float]


@dataclass(frozen=True)
class Confusion:
    """Counts of one node of the tree, mean over seeds: `tp` it holds and was decided to be on, and so forth."""

    tp: float
    fp: float
    fn: float
    tn: float

    @classmethod
    def of(cls, values: object) -> Confusion | None:
        """Counts from the ``{tp, fp, fn, tn}`` of comparison.json; None if one is missing or is no number."""
        if not isinstance(values, Mapping):
            return None
        tp, fp, fn, tn = (finite(values.get(key)) for key in ("tp", "fp", "fn", "tn"))
        return None if tp is None or fp is None or fn is None or tn is None else cls(tp, fp, fn, tn)

    @property
    def counts(self) -> tuple[float, float, float, float]:
        """In the order tp, fp, fn, tn."""
        return self.tp, self.fp, self.fn, self.tn

    @property
    def precision(self) -> float | None:
        """Share of the images decided to be on where the node holds; None if there are none."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Share of the images where the node holds that were decided to be on; None if there are none."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None


def finite(value: object) -> float | None:
    """A number that is stored; None for what is none, and where nothing is defined."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
