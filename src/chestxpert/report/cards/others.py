"""Comparison with other recipes, and how to make all of it again."""

from __future__ import annotations

import shlex

from chestxpert.report.cards.markdown import Section, bullets, fenced, paragraph, table
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.figure import Table
from chestxpert.report.provenance import commands, prepare_command
from chestxpert.report.results import metric_name
from chestxpert.report.scales import UNDEFINED, p_value, signed, typeset


def comparison_section(subject: CardSubject) -> Section:
    """The study's verdict, and the line's own contrasts on the primary metric."""
    title = "Comparison with other recipes"
    if subject.alone:
        return Section(title, [paragraph("Not measured: this card is about one run by itself.")])
    contrasts = _contrasts(subject)
    own = [table(contrasts)] if contrasts.rows else [paragraph(f"{subject.line} was not held against another line.")]
    return Section(title, [paragraph(typeset(f"The study's verdict: {subject.results.verdict}")), *own])


def _contrasts(subject: CardSubject) -> Table:
    results = subject.results
    every = [*results.contrasts, *results.derived_contrasts]
    mine = [c for c in every if c.metric == results.primary and subject.line in (c.a, c.b)]
    rows = [
        [
            f"{c.a} minus {c.b}", "difference shown" if c.clear else "no difference shown", signed(c.difference),
            UNDEFINED if c.low is None else f"{signed(c.low)} to {signed(c.high)}", p_value(c.p_adjusted),
        ]
        for c in mine
    ]  # fmt: skip
    head = [f"difference in {metric_name(results.primary)}", "", "value", "95 % interval", "p, adjusted (Holm)"]
    return Table(head, rows, words=2)


def again_section(subject: CardSubject) -> Section:
    """Commands and fingerprints."""
    recorded = subject.recorded
    prints = {
        "cohort": subject.cohort.fingerprint,
        "pixels": recorded.environment("start", "pixels_fingerprint"),
        "weights": recorded.environment("backbone", "weights_fingerprint"),
    }
    told = [f"Fingerprint of the {name}: {value or 'not recorded'}." for name, value in prints.items()]
    return Section("How to make it again", [fenced(_commands(subject), "sh"), bullets(told)])


def _commands(subject: CardSubject) -> str:
    if not subject.alone:
        lines = commands(subject.study)
        return "\n".join(line for words, command in lines for line in (f"# {' '.join(words.split())}", command))
    settings, folder = subject.study.settings, subject.study.folder
    preparing = prepare_command(settings)
    training = [
        "chestxpert", "train", str(folder / "recipe.yaml"), "--data", str(settings["dataset"]), "--out", "runs/again",
        "--seed", str(subject.results.seeds(subject.line)[0]),
    ]  # fmt: skip
    return "\n".join([*(["# the data set", preparing] if preparing else []), "# the run", shlex.join(training)])
