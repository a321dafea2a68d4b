"""Ethical considerations: patients, gaps between groups of them, and how far labels are right."""

from __future__ import annotations

from collections.abc import Iterator

from chestxpert.report.cards.factors import GAPS, gaps, groups, shown
from chestxpert.report.cards.markdown import Section, bullets
from chestxpert.report.cards.people import is_nih
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.evidence.stored import number, part
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped, signed
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import and_words, times


def ethics_section(subject: CardSubject) -> Section:
    """Patients, gaps between groups of them, and labels."""
    return Section("Ethical considerations", [bullets([
        "The images are drawings; no patient is behind them." if subject.cohort.simulated else
        f"It learnt from images of {times(subject.cohort.n_patients('train'), 'patient')}. What they consented to is "
        "not recorded here.",
        *_gaps(subject),
        *_labels(subject),
    ])])  # fmt: skip


def _gaps(subject: CardSubject) -> Iterator[str]:
    """Gaps whose interval leaves zero out; that none does is no proof that there is none."""
    every = gaps(subject)
    if not every:
        yield (
            "Gaps between subgroups: not measured."
            if not groups(subject)
            else ("Gaps between subgroups: not measured, since no two groups of a kind have patients enough.")
        )
        return
    clear = [gap for gap in every if shown(gap[-1])]
    for by, group, reference, metric, gap in clear:
        yield (
            f"A gap is shown: by {by}, {GAPS[metric]} of {group} minus that of {reference} is {signed(gap.mean)} "
            f"({signed(gap.low)} to {signed(gap.high)})."
        )
    chance = f"Of {times(len(every), 'gap')} measured, {len(clear)} {'is' if len(clear) == 1 else 'are'} shown"
    yield f"{chance}; intervals are not adjusted for their number, and a gap that is not shown may be there."


def _labels(subject: CardSubject) -> Iterator[str]:
    """How far the labels are right, as far as another source of them says."""
    if is_nih(subject.cohort):
        yield "Labels were mined from radiology reports by software, not read from the images."
    stored = part(subject.results.comparison, "agreement")
    kappas = {
        label: kappa for label in part(stored, "per_label")
        if (kappa := Estimate.of(part(stored, "per_label", label).get("kappa"))).mean is not None
    }  # fmt: skip
    if not kappas:
        yield "Label noise: not measured ('chestxpert agree' holds labels against those of another source)."
        return
    told = [f"{finding_name(label)} {kappa.words()}" for label, kappa in kappas.items()]
    yield (
        f"Label noise: against {stored.get('source', 'another source')}, on {grouped(number(stored, 'images') or 0)} "
        f"images, Cohen's kappa is {and_words(told)}."
    )
