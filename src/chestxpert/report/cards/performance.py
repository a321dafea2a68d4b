"""Metrics and decision thresholds: what was measured on the test images, and on how many."""

from __future__ import annotations

from chestxpert.report.cards.markdown import Section, paragraph, sentences, table
from chestxpert.report.cards.subject import CardSubject, said
from chestxpert.report.evidence.stored import number, part
from chestxpert.report.evidence.tables import rule_sentence
from chestxpert.report.figure import Table
from chestxpert.report.results import METRICS, finding_name, metric_name
from chestxpert.report.scales import decimal, grouped
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import and_words, times


def metrics_section(subject: CardSubject) -> Section:
    """Means over labels, and how thresholds were chosen."""
    thresholds = Section("Decision thresholds", [paragraph(_thresholds(subject))])
    return Section("Metrics", [paragraph(_reading(subject)), table(_overall(subject))], [thresholds])


def tested_on(subject: CardSubject) -> str:
    """How many test images of how many patients."""
    cohort = subject.cohort
    return f"{times(len(cohort.rows('test')), 'test image')} of {times(cohort.n_patients('test'), 'patient')}"


def _reading(subject: CardSubject) -> str:
    bootstrap = part(subject.results.comparison, "bootstrap")
    draws, unit = number(bootstrap, "draws"), bootstrap.get("unit", "patient")
    intervals = (
        f"In brackets 95 % intervals over {unit}s, from {grouped(draws)} bootstrap draws or a jackknife: how the "
        f"figures of these very networks would vary with other patients.{_lopsided(subject)}"
        if draws is not None
        else "How the intervals in brackets were made is not recorded."
    )
    spread = (
        "Spread over seeds is the standard deviation of single runs."
        if len(subject.seeds) > 1
        else "What other seeds would change is not measured."
    )
    primary = f"The primary metric is {said(subject.results.primary)}."
    return sentences(f"On {tested_on(subject)}.", primary, intervals, spread)


def _lopsided(subject: CardSubject) -> str:
    """Why a mean average precision may stand at an end of its own interval."""
    if part(subject.entry, "metrics", "macro_ap").get("interval") != "jackknife":
        return ""
    return (
        " Average precision comes out too high on few patients; its means have intervals that allow for this, so a "
        "value may stand near the upper end of its own."
    )


def _overall(subject: CardSubject) -> Table:
    stored = part(subject.entry, "metrics")
    rows = []
    for name in [name for name in METRICS if name in stored]:
        entry = part(stored, name)
        labels = number(entry, "n_defined")
        spread = decimal(number(entry, "sd_seeds")) if number(entry, "sd_seeds") is not None else "-"
        rows.append([metric_name(name), "-" if labels is None else grouped(labels), Estimate.of(entry).words(), spread])
    return Table(["metric", "labels", "value [95 %]", "spread over seeds"], rows)


def _thresholds(subject: CardSubject) -> str:
    """By which rule they were chosen, and where that had nothing to choose from."""
    labels = subject.cohort.label_space.labels
    known = [label for label in labels if subject.results.thresholds(subject.line, label)]
    fallback, of_seeds = fallbacks(subject), ", as means over seeds" if len(subject.seeds) > 1 else ""
    return sentences(
        rule_sentence(subject.results) or "By which rule thresholds were chosen is not recorded.",
        f"They stand in the table of findings{of_seeds}." if known else "The thresholds are not recorded.",
        f"No threshold could be chosen for {and_words(fallback)}, and 0.5 stands for it." if fallback else "",
    )


def fallbacks(subject: CardSubject) -> list[str]:
    """Labels without a validation image to choose a threshold by."""
    each = part(subject.entry, "per_label")
    return [finding_name(label) for label in each if part(each, label).get("threshold_fallback")]
