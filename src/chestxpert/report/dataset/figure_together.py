"""Which findings come together: the heat map of a study's report, and how far pairs differ from chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chestxpert.report.dataset.subject import BoolArray, Subject
from chestxpert.report.figure import Figure, Table
from chestxpert.report.figures_cohort import cooccurrence_figure, matches
from chestxpert.report.results import finding_name
from chestxpert.report.scales import decimal


def together_figure(subject: Subject) -> Figure | None:
    """Heat map of the findings of all splits, with a table of lifts; None where there are no pairs."""
    findings = subject.findings
    if len(findings) < 2:
        return None
    columns = subject.columns(findings)
    truth, known = subject.truth[:, columns], subject.known[:, columns]
    figure = cooccurrence_figure(findings, truth, known)
    return replace(figure, tables=[*figure.tables, _lift_table(findings, truth, known)])


def _lift_table(findings: Sequence[str], truth: BoolArray, known: BoolArray) -> Table:
    """How many times as often as by chance two findings come together, among the images where both are known."""
    both, seen = matches(truth, truth), matches(known, known)
    first = matches(truth, known)  # images with the row's finding of which the column's is known
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = both * seen / (first * first.T)
    rows = [
        [finding_name(f), *("" if i == j else decimal(float(lift[i, j]), 2) for j in range(len(findings)))]
        for i, f in enumerate(findings)
    ]
    return Table(["finding", *map(finding_name, findings)], rows, note="Times as often together as by chance (lift)")
