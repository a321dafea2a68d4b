"""Quantitative analyses: finding by finding, by frequency, calibration, the shortcut floor, net benefit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chestxpert.report.cards.markdown import Section, paragraph, table
from chestxpert.report.cards.performance import tested_on
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.counts import Counts
from chestxpert.report.evidence.stored import GROUP_WORDS, number, numbers, part
from chestxpert.report.evidence.tables import agreement_tables, agreement_words, floor_sentence
from chestxpert.report.figure import Table
from chestxpert.report.results import finding_name
from chestxpert.report.scales import UNDEFINED, decimal, grouped, percent, signed
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import and_words

NOT_MEASURED = "Not measured."
_NOISE = 1e-12
"""What rounding leaves of a difference that is zero."""


def analyses_section(subject: CardSubject) -> Section:
    """Finding by finding, by frequency, calibration, the shortcut floor, net benefit, and another source of labels."""
    found = {
        "Finding by finding": _findings(subject),
        "Head, medium and tail": _frequency(subject),
        "Calibration": _calibration(subject),
        "Above the shortcut floor": _floor(subject),
        "Net benefit": _net_benefit(subject),
    }
    parts = [
        Section(title, [table(filled)] if filled is not None and filled.rows else [paragraph(NOT_MEASURED)])
        for title, filled in found.items()
    ]
    words = {
        "Calibration": _calibration_words(found["Calibration"]),
        "Above the shortcut floor": floor_sentence(subject.results),
        "Net benefit": _benefit_words(subject),
    }
    parts = [Section(p.title, [paragraph(words.get(p.title, "")), *p.blocks]) for p in parts]
    parts.append(_another_source(subject))
    return Section("Quantitative analyses", [paragraph(f"All of it on {tested_on(subject)}.")], parts)


def _another_source(subject: CardSubject) -> Section:
    """How far the labels agree with another source of them, where one was held against them."""
    found = agreement_tables(subject.results, _labels(subject))[:1]
    blocks = [paragraph(agreement_words(subject.results)), *map(table, found)] if found else [paragraph(NOT_MEASURED)]
    return Section("Another source of labels", blocks)


def _labels(subject: CardSubject) -> Sequence[str]:
    """Labels in the order shown: most frequent in training first."""
    return Counts.of(subject.cohort).labels


def _findings(subject: CardSubject) -> Table:
    groups = part(subject.results.comparison, "cohort", "groups")
    operating = part(subject.results.comparison, "operating", "recipes", subject.line, "per_label")
    tested = len(subject.cohort.rows("test"))
    rows = []
    for label in _labels(subject):
        entry = part(subject.entry, "per_label", label)
        positive = number(entry, "n_positive")
        values = [subject.results.label(subject.line, label, metric).words() for metric in ("auroc", "ap", "f1")]
        values += [Estimate.of(part(operating, label).get(key)).words() for key in ("sensitivity", "specificity")]
        known = number(entry, "n_known")
        rows.append([
            finding_name(label), str(groups.get(label, "")), "-" if positive is None else grouped(positive),
            grouped(tested if known is None else known), *values, decimal(number(entry, "threshold")),
        ])  # fmt: skip
    head = ["finding", "group", "positive", "of", "AUROC", "AP", "F1", "sensitivity", "specificity", "threshold"]
    return Table(head, rows, words=2)


def _frequency(subject: CardSubject) -> Table | None:
    stored = part(subject.results.comparison, "groups")
    mine = part(stored, "recipes", subject.line)
    if not mine:
        return None
    rows = []
    for group, words in GROUP_WORDS.items():
        members = part(stored, "findings").get(group) or ()
        share = percent(number(stored, "prevalence", group))
        values = [Estimate.of(part(mine, group, metric)).words() for metric in ("auroc", "ap", "f1")]
        names = and_words([finding_name(str(label)) for label in members])
        rows.append([words, names, *([share, *values] if members else ["-"] * 4)])
    return Table(["group", "findings", "share of the test images", "AUROC", "AP", "F1"], rows, words=2)


def _calibration(subject: CardSubject) -> Table | None:
    each = part(subject.results.comparison, "calibration", "recipes", subject.line, "per_label")
    if not each:
        return None
    keys = ("ece", "ece_if_perfect", "slope", "in_the_large", "brier")
    rows = [
        [finding_name(label), *(Estimate.of(part(each, label).get(key)).words() for key in keys)]
        for label in _labels(subject) if label in each
    ]  # fmt: skip
    head = ["finding", "calibration error", "the same if perfect", "slope", "in the large", "Brier score"]
    return Table(head, rows)


def _calibration_words(found: Table | None) -> str:
    if found is None:
        return ""
    return (
        "The calibration error is never 0; beside it stands what perfect probabilities would reach. A slope of 1 is "
        "perfect, below 1 probabilities are too extreme. In the large, 0 is perfect, above 0 probabilities are too low "
        "on average. A Brier score of 0 is perfect."
    )


def lead(subject: CardSubject, label: str) -> Estimate:
    """AUROC of a label above the shortcut floor; undefined where it is not stored."""
    return Estimate.of(part(subject.results.comparison, "floor", "above", subject.line, "per_label", label, "auroc"))


def _floor(subject: CardSubject) -> Table | None:
    if not part(subject.results.comparison, "floor", "above", subject.line, "per_label"):
        return None
    rows = []
    for label in _labels(subject):
        above = lead(subject, label)
        interval = UNDEFINED if above.low is None else f"{signed(above.low)} to {signed(above.high)}"
        floor = decimal(subject.results.floor("auroc", label))
        mine = decimal(subject.results.label(subject.line, label, "auroc").mean)
        rows.append([finding_name(label), mine, floor, signed(above.mean), interval])
    return Table(["finding", "AUROC", "that of the floor", "difference", "95 % interval"], rows)


def useful_at(subject: CardSubject, label: str) -> list[float] | None:
    """Probabilities at which net benefit is shown to be above acting on all and on none; None if not measured."""
    stored = part(subject.results.comparison, "operating", "net_benefit")
    low = numbers(part(stored, "recipes", subject.line, label, "lead").get("low"))
    if not low:
        return None
    asked = numbers(stored.get("thresholds"))
    return [t for t, end in zip(asked, low, strict=False) if t and end is not None and end > _NOISE]


def _net_benefit(subject: CardSubject) -> Table | None:
    rows = []
    for label in _labels(subject):
        useful = useful_at(subject, label)
        if useful is not None:
            rows.append([finding_name(label), ", ".join(f"{t:g}" for t in useful) or "at none"])
    return Table(["finding", "probabilities at which acting on it is shown to be worth more"], rows, words=2)


def _benefit_words(subject: CardSubject) -> str:
    thresholds: Any = part(subject.results.comparison, "operating", "net_benefit").get("thresholds")
    if not thresholds or useful_at(subject, subject.cohort.label_space.labels[0]) is None:
        return ""
    told = [f"{t:g}" for t in numbers(thresholds) if t is not None]
    return (
        "Acting on a probability against acting on every image and on none: the interval of the lead over the better "
        f"of these two is above 0. Asked at {', '.join(told)}, each by itself."
    )
