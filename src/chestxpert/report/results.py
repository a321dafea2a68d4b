"""What comparison.json says, with names: estimates, contrasts, and which recipes stand for each side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.errors import RunError
from chestxpert.report.stored_values import Confusion, Contrast, Estimate, Fate, finite

METRICS = {
    "macro_auroc": "Macro AUROC",
    "macro_ap": "Macro AP",
    "macro_f1": "Macro F1",
    "macro_f1_at_half": "Macro F1 at 0.5",
    "macro_auroc_findings": "Macro AUROC, findings alone",
    "macro_ap_findings": "Macro AP, findings alone",
    "macro_f1_findings": "Macro F1, findings alone",
    "macro_ap_head": "Macro AP, head",
    "macro_ap_medium": "Macro AP, medium",
    "macro_ap_tail": "Macro AP, tail",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "micro_f1": "Micro F1",
    "exact_match": "Exact match",
    "hierarchical_precision": "Hierarchical precision",
    "hierarchical_recall": "Hierarchical recall",
    "hierarchical_f1": "Hierarchical F1",
    "brier": "Brier score (less is better)",
    "hard_macro_f1": "Hard routing: macro F1",
    "hard_micro_f1": "Hard routing: micro F1",
    "hard_exact_match": "Hard routing: exact match",
    "hard_hierarchical_f1": "Hard routing: hierarchical F1",
}
"""The metrics of a comparison in the order in which they are shown, with the words a reader sees."""

DRAWN = 4
"""At most so many lines stand side by side in figures that draw each finding."""

DERIVED = ("posthoc", "ensemble")
"""Kinds of lines, and of their contrasts, that were made of the stored predictions of others."""


MOST_DRAWN = 3
"""Hierarchies, and trees, that a figure along the tree draws; all of them stand in its tables."""


class Results:
    """A reader of one comparison.

    Parameters
    ----------
    comparison : mapping
        The content of comparison.json.

    Raises
    ------
    RunError
        If it is no comparison, or of a schema this version does not know.
    """

    def __init__(self, comparison: Mapping[str, Any]) -> None:
        missing = [key for key in ("schema", "recipes", "contrasts", "verdict", "cohort") if key not in comparison]
        if missing:
            raise RunError(
                f"This is no comparison: it has no {', '.join(missing)}. Run `chestxpert compare` again to write one."
            )
        if comparison["schema"] != 1:
            raise RunError(
                f"The comparison has schema {comparison['schema']!r}, but this version of ChestXpert reads schema 1."
            )
        self.comparison = comparison
        self.verdict = str(comparison["verdict"])
        every = [_contrast(values) for values in comparison["contrasts"]]
        self.contrasts = [contrast for contrast in every if contrast.kind not in DERIVED]
        self.derived_contrasts = [contrast for contrast in every if contrast.kind in DERIVED]
        self.primary = str(comparison.get("primary", "macro_ap"))
        self.baseline = str(comparison.get("baseline", "flat-basic"))

    @property
    def best(self) -> tuple[str, ...]:
        """The best flat and the best hierarchical recipe by validation, as far as there are such recipes."""
        best = self.comparison.get("best", {})
        return tuple(best[side] for side in ("flat", "hierarchical") if best.get(side) in self.comparison["recipes"])

    def foremost(self, names: Sequence[str], most: int = MOST_DRAWN) -> list[str]:
        """Those to draw where all would be too many: the best on validation, in the order of `names`.

        The best of each side always is among them.
        """
        scores = {name: finite(_validation(self.recipe(name)).get(self.primary)) for name in names}
        ranked = sorted(names, key=lambda name: (name not in self.best, -(scores[name] or 0.0)))
        return [name for name in names if name in ranked[:most]]

    @property
    def decisive(self) -> Contrast | None:
        """The best hierarchical against the best flat recipe on the primary metric, if both sides were run."""
        return next((c for c in self.contrasts if c.kind == "best" and c.metric == self.primary), None)

    @property
    def recipes(self) -> list[str]:
        """Names of the trained recipes, flat ones first, each kind in the order of the comparison."""
        return sorted(self._of_kind(""), key=self.hierarchical)

    @property
    def externals(self) -> list[str]:
        """Names of what other tools predicted, in the order of the comparison."""
        every: Mapping[str, Mapping[str, Any]] = self.comparison["recipes"]
        return [name for name, values in every.items() if "external" in values]

    @property
    def members(self) -> list[str]:
        """The trained recipes, then what other tools predicted: all that stands for itself."""
        return [*self.recipes, *self.externals]

    @property
    def drawn(self) -> list[str]:
        """Whom figures of single findings draw: the best of each side, and what other tools predicted."""
        return [*self.best, *self.externals][:DRAWN]

    def external(self, name: str) -> Mapping[str, Any]:
        """Where another tool's predictions come from and what they cover; empty for all else."""
        values: Mapping[str, Any] = self.recipe(name).get("external", {})
        return values

    @property
    def ensembles(self) -> list[str]:
        """Names of the ensembles of stored predictions."""
        return self._of_kind("ensemble")

    @property
    def lines(self) -> list[str]:
        """All there is: each recipe, then each ensemble, followed by what corrections made of it."""
        corrected = self._of_kind("posthoc")
        return [
            name
            for line in [*self.recipes, *self.ensembles]
            for name in [line, *(other for other in corrected if self.made_of(other) == [line])]
        ]

    @property
    def everything(self) -> list[str]:
        """All `lines`, then what other tools predicted."""
        return [*self.lines, *self.externals]

    def _of_kind(self, kind: str) -> list[str]:
        every: Mapping[str, Mapping[str, Any]] = self.comparison["recipes"]
        return [
            name
            for name, values in every.items()
            if values.get("derived", {}).get("kind", "") == kind and "external" not in values
        ]

    def made_of(self, name: str) -> list[str]:
        """The lines that a derived one was made of; empty for a trained recipe."""
        return list(self.recipe(name).get("derived", {}).get("of", ()))

    def done(self, name: str) -> list[Mapping[str, Any]]:
        """What was done to each run of a derived line, or of whom an ensemble was made."""
        return list(self.recipe(name).get("derived", {}).get("runs", ()))

    def recipe(self, name: str) -> Mapping[str, Any]:
        """Everything the comparison holds on one recipe."""
        values: Mapping[str, Any] = self.comparison["recipes"][name]
        return values

    def hierarchical(self, name: str) -> bool:
        """Whether the recipe is a hierarchy, or the ensemble one."""
        return self.recipe(name)["architecture"] not in ("flat", "mixed", "external")

    def side(self, name: str) -> str:
        """Class names of the line's colour: ``flat`` or ``hier``, and one of several for other tools."""
        if name in self.externals:
            return f"ext ext-{self.externals.index(name) % DRAWN + 1}"
        return "hier" if self.hierarchical(name) else "flat"

    def seeds(self, name: str) -> list[int]:
        """Seeds of the recipe."""
        return list(self.recipe(name).get("seeds", []))

    def runs_words(self, name: str) -> str:
        """How many runs a line is the mean of, or an ensemble is made of: ``3``, ``3 in one``."""
        origin = self.recipe(name).get("derived", {})
        root = origin["of"][0] if origin.get("kind") == "posthoc" else name
        members = self.done(root)[0].get("members", ()) if root in self.ensembles else ()
        return f"{len(members)} in one" if members else str(len(self.seeds(name)))

    def metric(self, name: str, metric: str) -> Estimate:
        """One of the recipe's metrics over all findings."""
        return Estimate.of(self.recipe(name).get("metrics", {}).get(metric))

    def floor(self, metric: str, finding: str = "") -> float | None:
        """What view, age and sex alone reach on a metric, over all findings or on one; None if not recorded."""
        stored: object = self.comparison.get("floor")
        for key in ("per_label", finding, metric) if finding else ("metrics", metric):
            stored = stored.get(key) if isinstance(stored, Mapping) else None
        return Estimate.of(stored).mean

    def label(self, name: str, finding: str, metric: str) -> Estimate:
        """One of the recipe's metrics on one finding."""
        return Estimate.of(self.recipe(name).get("per_label", {}).get(finding, {}).get(metric))

    def per_seed(self, name: str, metric: str) -> list[float]:
        """The metric of each single seed; empty where there is but one seed, or none is recorded."""
        values = self.recipe(name).get("metrics", {}).get(metric, {}).get("per_seed", ())
        known = [value for value in map(finite, values) if value is not None]
        return known if len(self.seeds(name)) > 1 else []

    @property
    def not_learnt_words(self) -> str:
        """Which labels no training image could teach which recipes, for example ``Hernia (flat-basic)``; else empty."""
        recipes: dict[str, list[str]] = {}
        for name in self.recipes:
            for label in self.recipe(name).get("not_learnt", ()):
                recipes.setdefault(finding_name(str(label)), []).append(name)
        return "; ".join(f"{label} ({', '.join(names)})" for label, names in recipes.items())

    def thresholds(self, name: str, label: str) -> list[float]:
        """The recipe's thresholds for one label, one a seed, chosen on validation; empty if not recorded."""
        values = self.recipe(name).get("per_label", {}).get(label, {}).get("thresholds", ())
        return [value for value in map(finite, values) if value is not None]

    def fate(self, name: str, finding: str) -> Fate | None:
        """What became of a finding's true cases under the recipe, mean over seeds; None if not recorded."""
        entry = self.recipe(name).get("tree", {}).get("findings", {}).get(finding)
        if entry is None:
            return None
        if not entry["n"]:
            return Fate(None, {})
        return Fate(entry["found"] / entry["n"], {place: n / entry["n"] for place, n in entry["lost"].items()})

    def confusion(self, name: str, node: str) -> tuple[Confusion | None, Confusion | None]:
        """Counts of a node of the tree where its parent truly holds, and under hard routing; None if not recorded."""
        nodes = self.recipe(name).get("tree", {}).get("nodes", {})
        entry = nodes.get(node) if isinstance(nodes, Mapping) else None
        if not isinstance(entry, Mapping):
            return None, None
        return Confusion.of(entry.get("given_parent")), Confusion.of(entry.get("routed"))

    def cost(self, name: str, key: str) -> float | None:
        """One of the numbers of cost.json, such as ``parameters``; None if not recorded."""
        return finite(self.recipe(name).get("cost", {}).get(key))

    def asked(self, name: str) -> dict[str, float]:
        """Share of the test images that each network of a cascade is asked of; empty if not recorded."""
        shares = self.recipe(name).get("cost", {}).get("asked")
        known = {k: finite(share) for k, share in shares.items()} if isinstance(shares, Mapping) else {}
        return {network: share for network, share in known.items() if share is not None}


def _validation(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    found = recipe.get("validation")
    return found if isinstance(found, Mapping) else {}


def _contrast(values: Mapping[str, Any]) -> Contrast:
    numbers = {key: finite(values.get(key)) for key in ("difference", "low", "high", "p", "p_adjusted")}
    return Contrast(
        str(values["a"]),
        str(values["b"]),
        str(values["metric"]),
        **numbers,
        kind=str(values.get("kind", "")),
        more=values,
    )


def metric_name(metric: str) -> str:
    """Words for a metric's key; an unknown key is shown without its underscores."""
    return METRICS.get(metric, metric.replace("_", " "))


def finding_name(finding: str) -> str:
    """Words for a finding: NIH's underscore becomes a space."""
    return finding.replace("_", " ")
