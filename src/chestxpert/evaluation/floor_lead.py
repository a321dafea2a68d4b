"""How far a recipe is above the shortcut floor, label by label, on the same draws over patients."""

from __future__ import annotations

from collections.abc import Sequence

from chestxpert.evaluation.estimates import Estimate, estimate
from chestxpert.evaluation.measured_runs import RunMeasures

METRICS = ("auroc",)
"""What single labels are compared on. Average precision of a rare label has no honest interval from draws."""


def lead_by_label(
    runs: Sequence[RunMeasures], floor: Sequence[RunMeasures], labels: Sequence[str]
) -> dict[str, dict[str, Estimate]]:
    """AUROC of a recipe minus that of the floor, paired draw by draw.

    Parameters
    ----------
    runs : sequence of RunMeasures
        The recipe's, one a seed.
    floor : sequence of one RunMeasures
        The floor's, which has no seeds, on the same draws.
    labels : sequence of str
        In the order of the columns.

    Returns
    -------
    dict
        By label and metric ``mean`` (over seeds), ``low`` and ``high`` (percentile interval over patients, not
        adjusted for the number of labels) and ``n_draws``. The interval of a label that few patients carry is too
        narrow; see docs/statistics.md.
    """
    (base,) = floor
    return {
        label: {
            metric: estimate(
                [run.test.per_label[metric][column] - base.test.per_label[metric][column] for run in runs],
                [run.drawn.per_label[metric][:, column] - base.drawn.per_label[metric][:, column] for run in runs],
            )
            for metric in METRICS
        }
        for column, label in enumerate(labels)
    }
