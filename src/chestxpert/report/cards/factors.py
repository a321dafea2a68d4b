"""Factors: for whom it was measured, and for whom not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chestxpert.report.cards.markdown import Section, bullets, paragraph, table
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.evidence.stored import number, part
from chestxpert.report.figure import Table
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped, signed
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import and_words, times

GAPS = {"sensitivity": "sensitivity", "specificity": "specificity", "auroc": "AUROC"}
_IN_THE_TABLE = ("view", "sex", "age")


def factors_section(subject: CardSubject) -> Section:
    """Subgroups with their figures, gaps between them, and what was not measured."""
    return Section("Factors", [
        paragraph(_intervals(subject)),
        table(_groups_table(subject)) if groups(subject) else "",
        table(_gaps_table(subject)) if gaps(subject) else "",
    ], [Section("Not measured", [bullets(not_measured(subject))])])  # fmt: skip


def groups(subject: CardSubject) -> Mapping[str, Any]:
    """What is stored of the line's subgroups, by what they are made by; empty if they were not measured."""
    return part(subject.results.comparison, "subgroups", "recipes", subject.line)


def gaps(subject: CardSubject) -> list[tuple[str, str, str, str, Estimate]]:
    """Every gap measured: by what, group, reference, metric, and the difference of means over their findings."""
    return [
        (by, group, str(stored.get("reference")), metric, estimate)
        for by, stored in groups(subject).items()
        for group in part(stored, "gaps")
        for metric in GAPS
        if (estimate := Estimate.of(part(stored, "gaps", group, "macro", metric))).mean is not None
    ]


def shown(estimate: Estimate) -> bool:
    """Whether an interval leaves zero out."""
    return estimate.low is not None and estimate.high is not None and not estimate.low <= 0 <= estimate.high


def _intervals(subject: CardSubject) -> str:
    if not groups(subject):
        return ""
    stored = part(subject.results.comparison, "subgroups")
    fewest, draws = (number(stored, key) for key in ("fewest_patients", "draws"))
    few = (
        f" A finding is measured in a group where at least {grouped(fewest)} patients have it and as many do not."
        if fewest
        else ""
    )
    rest = f" from {grouped(draws)} draws over patients" if draws else ""
    return (
        f"Subgroups of the test images, at the thresholds of all images. In brackets 95 % intervals{rest}, not "
        f"adjusted for their number.{few} Means are over the findings that are measured in all groups of a kind, "
        "groups without any left aside; gaps are over those that are measured in both groups."
    )


def _groups_table(subject: CardSubject) -> Table:
    rows = []
    for by, stored in groups(subject).items():
        for group, values in part(stored, "groups").items():
            measured = [Estimate.of(part(values, "macro", metric)).words() for metric in GAPS]
            counts = [grouped(number(values, key) or 0) for key in ("images", "patients")]
            rows.append([by, group, *counts, *measured])
    return Table(
        ["by", "group", "images", "patients", *GAPS.values()], rows, words=2, note="Subgroups, means over findings"
    )


def _gaps_table(subject: CardSubject) -> Table:
    rows = []
    for by, group, reference, metric, gap in gaps(subject):
        interval = f"{signed(gap.low)} to {signed(gap.high)}" if gap.low is not None else "no interval"
        verdict = "gap shown" if shown(gap) else "no gap shown"
        rows.append([by, f"{group} minus {reference}", GAPS[metric], verdict, signed(gap.mean), interval])
    return Table(
        ["by", "gap", "metric", "", "difference", "95 % interval"], rows, words=4, note="Gaps between subgroups"
    )


def not_measured(subject: CardSubject) -> list[str]:
    """Groups and factors without a figure, each with the reason."""
    found = list(_why_not(subject))
    empty = [name for name in _IN_THE_TABLE if not _told(subject, name)]
    if empty:
        found.append(f"By {and_words(empty)}: the test images' table does not say.")
    found.append(
        "By anything that the table has no column for, such as hospital, device, ethnicity, or how ill a patient was."
    )
    return found


def _why_not(subject: CardSubject) -> Iterator[str]:
    if not groups(subject):
        stored = part(subject.results.comparison, "subgroups")
        measured = list(part(stored, "recipes"))
        why = f"; this study measured them for {and_words(measured)}" if measured else " by this comparison"
        yield f"Subgroups were not measured for {subject.line}{why}."
    for by, stored in groups(subject).items():
        for group, values in part(stored, "groups").items():
            each = part(values, "per_label")
            missing = [label for label in each if not part(each, label).get("enough")]
            where = (
                f"{by} {group} ({times(int(number(values, 'images') or 0), 'image')} of "
                f"{times(int(number(values, 'patients') or 0), 'patient')})"
            )
            if each and len(missing) == len(each):
                yield f"By {where}: too few patients for any finding."
            elif missing:
                yield f"By {where}: too few patients for {and_words([finding_name(label) for label in missing])}."
        if unknown := number(stored, "unknown"):
            yield f"By {by}: {times(int(unknown), 'test image')} of which the {by} is not known."


def _told(subject: CardSubject, column: str) -> bool:
    """Whether the test images' table says anything in a column."""
    values = subject.cohort.table.iloc[subject.cohort.rows("test")][column]
    return bool((values.notna() & (values.astype(str) != "")).any())
