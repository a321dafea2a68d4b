"""The tables of a study's page, by the names of their files: the very objects that the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chestxpert.report.build import draw_figures, evidence_of, trees_shown
from chestxpert.report.cohort_table import cohort_table
from chestxpert.report.evidence.stored import detailed, has_interval, number, part
from chestxpert.report.figure import Table
from chestxpert.report.read import StudyFolder
from chestxpert.report.results import Results, metric_name
from chestxpert.report.scales import grouped, typeset
from chestxpert.report.stored_values import Estimate

SIMULATED = "Simulated images, drawings and no radiographs: nothing here says anything about patients."
_INTERVAL = re.compile(r"\d \[|\d to [\d+\N{MINUS SIGN}]")
_RENAMED = {"reliability": ("calibration", "Calibration")}
"""Name and title of a paper's tables where the figure above them is called otherwise."""
_BY_JACKKNIFE = frozenset({"recipes", "findings", "groups", "levels", "seeds", "pr", "roc", "floor"})
_BY_WILSON = {
    "findings": "finding's F1",
    "levels": "node's recall, precision and F1",
    "operating": "finding's sensitivity",
}
"""Whose intervals are those of a share, by the table."""


@dataclass(frozen=True)
class Sheet:
    """Some tables that belong together.

    Attributes
    ----------
    name : str
        Of their files, without an ending.
    title : str
    tables : sequence of Table
    cohort : str
        Whom the tables are about.
    intervals : str
        What their intervals are.
    """

    name: str
    title: str
    tables: Sequence[Table]
    cohort: str
    intervals: str

    def caption(self, table: Table) -> str:
        """What is in one of the tables, of whom, and what its intervals are if it has any."""
        note = f" {table.note}." if table.note else ""
        return f"{self.title}.{note} {self.setting([table])}"

    def setting(self, tables: Sequence[Table]) -> str:
        """Of whom some of the tables are, and what their intervals are if they have any."""
        has = any(_INTERVAL.search(cell) for table in tables for row in table.rows for cell in row)
        return f"{self.cohort} {self.intervals}" if has else self.cohort


def sheets(study: StudyFolder) -> list[Sheet]:
    """Every table of the page, in its order; what a study lacks is left out."""
    found = []
    for name, title, tables in _named(study):
        shown = [table for table in tables if table.rows]
        if shown:
            found.append(Sheet(name, title, shown, _cohort(study), _intervals(study.results, name)))
    return found


def _named(study: StudyFolder) -> Iterator[tuple[str, str, Sequence[Table]]]:
    for anchor, figure in draw_figures(study).items():
        name = anchor.removeprefix("fig-")
        yield *_RENAMED.get(name, (name, figure.title)), figure.tables
    stored = evidence_of(study)
    yield "floor", "The shortcut floor: view, age and sex alone", _floor(study.results)
    yield "operating", "At its thresholds", stored["operating"]
    yield "agreement", "Agreement of labels", stored["agreement"]
    for place, along in enumerate(trees_shown(study)):
        words = "Confusion at every decision"
        yield f"confusion-{place + 1}" if place else "confusion", words, along["confusions"]
    yield "cohort", "Images and patients by split", [cohort_table(study.cohort)]


def _floor(results: Results) -> list[Table]:
    """The page says it in a sentence; a paper wants a row."""
    stored = part(results.comparison, "floor")
    lines = {"view, age and sex alone": part(stored, "metrics")}
    lines |= {f"{name}: above it": part(stored, "above", name) for name in detailed(results, part(stored, "above"))}
    metrics = [key for key in part(stored, "metrics") if any(key in line for line in list(lines.values())[1:])]
    if not metrics:
        return []
    rows = [[words, *(Estimate.of(line.get(metric)).words() for metric in metrics)] for words, line in lines.items()]
    return [Table(["", *map(metric_name, metrics)], rows)]


def _cohort(study: StudyFolder) -> str:
    images = part(study.results.comparison, "cohort", "images")
    counts = " and ".join(
        f"{grouped(count)} {words}"
        for split, words in (("train", "training"), ("val", "validation"), ("test", "test"))
        if (count := number(images, split)) is not None
    ).replace(" and ", ", ", 1)
    patients = grouped(study.cohort.n_patients())
    words = f"Cohort {study.cohort.fingerprint}: {counts} images of {patients} patients."
    return f"{SIMULATED} {words}" if study.cohort.simulated else words


def _intervals(results: Results, name: str) -> str:
    bootstrap = part(results.comparison, "bootstrap")
    own = {"subgroups": "subgroups", "agreement": "agreement"}.get(name)
    draws = number(part(results.comparison, own), "draws") if own else None
    draws = number(bootstrap, "draws") if draws is None else draws
    words = f"Intervals at 95 % over {bootstrap.get('unit', 'patient')}s"
    if draws is not None:
        words += f", from {grouped(draws)} bootstrap draws"
        if name in _BY_JACKKNIFE and has_interval(results.comparison, "jackknife"):
            words += "; those of average precision, and of one finding's AUROC, from the jackknife"
        if name in _BY_WILSON and has_interval(results.comparison, "wilson"):
            words += f"; those of one {_BY_WILSON[name]} are Wilson's"
    return typeset(f"{words}.")


def single_head(table: Table) -> Table:
    """The table with one line of heads: what stood above several columns goes before the head of each."""
    if not table.groups:
        return table
    above = [words for words, span in table.groups for _ in range(span)]
    head = [f"{words}: {cell}" if words else cell for words, cell in zip(above, table.head, strict=True)]
    return replace(table, head=head, groups=())
