"""How small a difference these patients could have shown, and whether one is small enough not to matter."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import interval

ALPHA = 0.05
POWER = 0.8


def detectable_difference(error: float, tests: int = 1, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest true difference that a two-sided test finds with a given power: (z(1-alpha/2m) + z(power)) SE.

    It follows from the standard error of the paired difference alone, not from the difference that was seen; so it
    is no "observed power", which says nothing that p does not (Hoenig and Heisey, American Statistician 55, 2001).

    Parameters
    ----------
    error : float
        Standard error of the paired difference over patients.
    tests : int
        m, how many tests share `alpha`. For m > 1 it is the difference that passes the hardest step of Holm's
        method; the later steps are easier.
    alpha : float
        Level of the two-sided test.
    power : float
        Share of repetitions that should find the difference.
    """
    quantile = NormalDist().inv_cdf
    return (quantile(1 - alpha / 2 / max(1, tests)) + quantile(power)) * error


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests (Schuirmann, J Pharmacokinet Biopharm 15, 1987) of a paired difference against a margin.

    Parameters
    ----------
    margin : float
        The largest difference that would not matter, above 0.
    low, high : float
        The interval at 1 - 2 alpha: 90 %.
    p : float
        The larger of the two one-sided p-values: of a difference of at most minus the margin, or at least the margin.
    """

    margin: float
    low: float
    high: float
    p: float

    @classmethod
    def of(cls, differences: npt.ArrayLike, margin: float, alpha: float = ALPHA) -> Equivalence:
        """Test bootstrap draws of a difference, NaN where undefined; all values NaN where no draw is defined.

        A p-value is the share of draws beyond its margin, one draw added to numerator and denominator as in
        `bootstrap.two_sided_p`; so p < alpha says the same as the percentile interval lying inside the margin.
        """
        values = np.asarray(differences, dtype=np.float64)
        values = values[~np.isnan(values)]
        low, high, n_draws = interval(values, level=1 - 2 * alpha)
        if not n_draws:
            return cls(margin, low, high, float("nan"))
        beyond = max(int((values <= -margin).sum()), int((values >= margin).sum()))
        return cls(margin, low, high, (beyond + 1) / (n_draws + 1))

    def shown(self, p_adjusted: float | None = None, alpha: float = ALPHA) -> bool:
        """Whether the interval lies inside the margin and p, or the adjusted one, is below `alpha`."""
        p = self.p if p_adjusted is None else p_adjusted
        return bool(-self.margin < self.low and self.high < self.margin and p < alpha)


def checked_margin(margin: float | None) -> float | None:
    """The margin as it is; PredictionsError unless it is None or lies between 0 and 1."""
    if margin is not None and not 0 < margin < 1:
        raise PredictionsError(
            f"The margin of equivalence must lie between 0 and 1, as the metrics do, but is {margin}. "
            "Name the largest difference that would not matter to you, such as 0.01."
        )
    return margin
