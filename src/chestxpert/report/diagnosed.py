"""What comparison.json says under ``diagnosis``, with names; an older comparison has none of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.report.results import Results
from chestxpert.report.stored_values import Estimate


@dataclass(frozen=True)
class Pair:
    """One finding's `n` test cases under a hierarchical and a flat recipe, or the mean over findings (`n` is 0).

    Attributes
    ----------
    both, only_hierarchical : float
        Shares of the cases.
    only_flat, neither : mapping of decision to share
        By the decision at which the hierarchy lost them.
    false_alarms : tuple of float
        Of the hierarchy and of the flat recipe, as shares of the images that tell.
    seeds : float or None
        Share of the cases that one run of the flat recipe finds and another misses.
    recall : Estimate
        Hierarchical minus flat, each at its own thresholds.
    matched : Estimate
        The same with as many positive decisions of the flat recipe as of the hierarchy.
    """

    n: int
    both: float
    only_hierarchical: float
    only_flat: Mapping[str, float]
    neither: Mapping[str, float]
    false_alarms: tuple[float, float]
    seeds: float | None
    recall: Estimate
    matched: Estimate


@dataclass(frozen=True)
class Perfect:
    """Macro values of one hierarchy: as it is, with one decision perfect, the gain, and with all others perfect."""

    as_it_is: Mapping[str, Estimate]
    perfect: Mapping[str, Mapping[str, Estimate]]
    gain: Mapping[str, Mapping[str, Estimate]]
    others: Mapping[str, Mapping[str, float | None]]
    findings: Mapping[str | None, Mapping[str, Mapping[str, float | None]]]
    """By decision (None: as it is) and finding: ap, found, false_alarms."""


class Diagnosis:
    """A reader of the diagnosis in a comparison."""

    def __init__(self, results: Results) -> None:
        self.results = results
        values = results.comparison.get("diagnosis")
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}

    @property
    def against(self) -> list[str]:
        """The flat recipes that hierarchies were held against, the best on validation first."""
        return [str(name) for name in self._values.get("against", ())]

    def recipes(self, among: Sequence[str]) -> list[str]:
        """Which of the recipes `among` were diagnosed, the best on validation first."""
        known = [name for name in among if name in self._values.get("recipes", {})]
        return sorted(known, key=self._validation, reverse=True)

    def _validation(self, name: str) -> float:
        value = self.results.recipe(name).get("validation", {}).get(self.results.primary)
        return float("-inf") if value is None else float(value)

    def _recipe(self, name: str) -> Mapping[str, Any]:
        values: Mapping[str, Any] = self._values["recipes"][name]
        return values

    def counts(self, name: str, finding: str) -> Mapping[str, Any]:
        """Everything stored on one finding under a hierarchical recipe, as numbers of cases."""
        values: Mapping[str, Any] = self._recipe(name)["findings"][finding]
        return values

    def flat_counts(self, flat: str, finding: str) -> Mapping[str, Any]:
        """The same of a flat recipe."""
        values: Mapping[str, Any] = self._values["flat"][flat][finding]
        return values

    def pair(self, name: str, flat: str, finding: str) -> Pair | None:
        """One finding under both recipes; None without cases."""
        own, other = self.counts(name, finding), self.flat_counts(flat, finding)
        if not own["n"]:
            return None
        cells, n = own["against"][flat], int(own["n"])
        images = self._images(finding)
        torn = other.get("one_run_only")
        return Pair(
            n,
            cells["both"] / n,
            cells["only_hierarchical"] / n,
            {decision: count / n for decision, count in cells["only_flat"].items()},
            {decision: count / n for decision, count in cells["neither"].items()},
            (own["false_alarms"] / images, other["false_alarms"] / images),
            None if torn is None else torn / n,
            Estimate.of(cells["recall_difference"]),
            Estimate.of(cells["matched"]["recall_difference"]),
        )

    def mean_pair(self, name: str, flat: str, findings: Sequence[str]) -> Pair | None:
        """Mean over the findings that have cases; its differences have intervals of their own."""
        pairs = [pair for finding in findings if (pair := self.pair(name, flat, finding)) is not None]
        if not pairs:
            return None
        whole = self._recipe(name)["macro"]["against"][flat]
        torn = [pair.seeds for pair in pairs if pair.seeds is not None]
        return Pair(
            0,
            _mean([pair.both for pair in pairs]),
            _mean([pair.only_hierarchical for pair in pairs]),
            _mean_by_key([pair.only_flat for pair in pairs]),
            _mean_by_key([pair.neither for pair in pairs]),
            (_mean([pair.false_alarms[0] for pair in pairs]), _mean([pair.false_alarms[1] for pair in pairs])),
            _mean(torn) if torn else None,
            Estimate.of(whole["recall_difference"]),
            Estimate.of(whole["matched"]["recall_difference"]),
        )

    def _images(self, finding: str) -> int:
        """Test images of which it is known whether they carry the finding."""
        all_images = int(self.results.comparison["cohort"]["images"]["test"])
        recipe = self.results.recipe(self.results.recipes[0])
        return int(recipe.get("per_label", {}).get(finding, {}).get("n_known", all_images))

    def routing_cost(self, name: str) -> Estimate:
        """Macro recall of hard routing minus that of its own probabilities with as many positive decisions."""
        return Estimate.of(self._recipe(name)["macro"]["product"]["recall_difference"])

    def perfect(self, name: str) -> Perfect:
        """What perfect decisions would change."""
        values = self._recipe(name)["perfect"]
        decisions: Mapping[str, Mapping[str, Any]] = values["decisions"]
        plain = values["as_it_is"]
        return Perfect(
            {key: Estimate.of(own) for key, own in plain["macro"].items()},
            {d: {key: Estimate.of(own) for key, own in entry["macro"].items()} for d, entry in decisions.items()},
            {d: {key: Estimate.of(own) for key, own in entry["gain"].items()} for d, entry in decisions.items()},
            {d: entry["others_perfect"] for d, entry in decisions.items()},
            {None: plain["findings"]} | {d: entry["findings"] for d, entry in decisions.items()},
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _mean_by_key(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of every key, which is 0 where it is missing: a finding loses no case at a decision it never meets."""
    keys = dict.fromkeys(key for values in each for key in values)
    return {key: _mean([values.get(key, 0.0) for values in each]) for key in keys}
