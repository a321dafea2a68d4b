"""Runs of a recipe, measured: on validation, on test, in every draw, and without each patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import FEWER, PatientDraws
from chestxpert.evaluation.contrasts import RecipeValues
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.estimates import seed_mean
from chestxpert.evaluation.further import drawn_decisions, further_metrics
from chestxpert.evaluation.levels import (
    InnerNodes,
    MeasuredNodes,
    drawn_level_counts,
)
from chestxpert.evaluation.measures import Measured, Values, drawn_metrics, point_metrics
from chestxpert.evaluation.metrics import FloatArray, macro
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import tree_confusion
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.jackknife import resamples
from chestxpert.evaluation.uncertainty.seeds import SeedVariance
from chestxpert.evaluation.uncertainty.spread import LeftOut, Spread
from chestxpert.evaluation.weighted_ranking import rank_labels
from chestxpert.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a comparison reads of one run.

    Parameters
    ----------
    seed : int
    predictions : Predictions
    architecture : {"flat", "cascade", "shared", "external"}
        Of an ensemble also "hierarchical" or "mixed": see `ensemble.Ensemble`.
    cost : mapping
        As cost.json has it: parameters, train_seconds, train_image_passes, ms_per_image, and what early exit makes of
        the last; of a cascade also asked, the share of images that each network reads.
    not_learnt : sequence of str
        Labels that no training image could teach, as evaluation.json has them.
    derived : Derived or None
        Where it comes from if it was not trained itself.
    external : mapping or None
        Of predictions that another tool made: where they come from, in plain values. `architecture` is "external" then.
    """

    seed: int
    predictions: Predictions
    architecture: str = "flat"
    cost: Mapping[str, Any] = field(default_factory=dict)
    not_learnt: Sequence[str] = ()
    derived: Derived | None = None
    external: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class RunMeasures:
    """One run measured: on validation, on test, and on test in every draw.

    What a run says of single images is not kept: `Decided.scored` has it again.

    `drawn_inner` and `by_level` are of the first `FEWER` draws; the latter is `drawn_level_counts` on test, the sample
    itself in row 0.
    """

    operating: Operating
    validation: Measured
    test: Measured
    drawn: Measured
    further: Measured
    drawn_further: Measured
    inner: MeasuredNodes
    drawn_inner: Values
    by_level: FloatArray
    tree: dict[str, Any]
    counts: dict[str, dict[str, int]]
    spread: Spread

    @classmethod
    def of(
        cls,
        run: RunResult,
        cohort: Cohort,
        taxonomy: Taxonomy,
        draws: PatientDraws,
        rule: ThresholdRule = F1,
        operating: Operating | None = None,
    ) -> RunMeasures:
        """Measure one run; thresholds come from its validation rows, by a rule, unless they are given."""
        predictions, both = run.predictions.aligned_once(cohort), resamples(draws)
        operating = Operating.choose(predictions, cohort, rule) if operating is None else operating
        test = Scored.of(predictions, cohort, "test", operating, taxonomy)
        point, inner = point_metrics(test), InnerNodes.of(predictions, cohort, "test", taxonomy, rule)
        summary = inner.summary()
        ranked, few = rank_labels(test.truth, test.probs, draws, test.known), min(len(draws), FEWER)
        drawn, without = drawn_metrics(test, both.all, ranked).split(len(draws))
        drawn_inner, by_level = inner.drawn(both.few), drawn_level_counts(test, both.few.after_sample())
        left = LeftOut(
            without,
            {name: values[few:] for name, values in drawn_inner.items()},
            np.vstack([by_level[:1], by_level[1 + few :]]),
        )
        return cls(
            operating=operating,
            validation=point_metrics(Scored.of(predictions, cohort, "val", operating, taxonomy)),
            test=point,
            drawn=drawn,
            further=further_metrics(test, ranked),
            drawn_further=drawn_decisions(test, draws),
            inner=summary,
            drawn_inner={name: values[:few] for name, values in drawn_inner.items()},
            by_level=by_level[: 1 + few],
            tree=tree_confusion(predictions, cohort, "test", operating),
            counts=test.counts(),
            spread=Spread.of(test, point, inner, summary.values, draws, left),
        )

    @property
    def average_precision(self) -> FloatArray:
        """(1 + D, K) average precision on test, and in every draw."""
        return np.vstack([self.test.per_label["ap"], self.drawn.per_label["ap"]])


def recipe_values(runs: Sequence[RunResult], measured: Sequence[RunMeasures], primary: str) -> RecipeValues:
    """What contrasts need of a recipe: means over its seeds, in each draw too."""
    names = list(measured[0].test.overall)
    return RecipeValues(
        hierarchical=runs[0].architecture not in ("flat", "external"),
        validation=float(macro([run.validation.overall[primary] for run in measured])),
        test={name: float(macro([run.test.overall[name] for run in measured])) for name in names},
        draws={name: seed_mean([run.drawn.overall[name] for run in measured]) for name in names},
        moves={name: seed_mean([run.spread.overall[name] for run in measured]) for name in names},
        seeds={
            name: SeedVariance.of(
                [float(run.test.overall[name]) for run in measured], [run.drawn.overall[name] for run in measured]
            )
            for name in names
        },
        auroc=AurocParts.average([run.spread.auroc for run in measured]).macro(),
        patients=len(measured[0].spread.auroc.positive),
    )
