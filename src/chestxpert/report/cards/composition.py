"""Composition: what the data set holds, in the very tables of its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chestxpert.dataset import Dataset
from chestxpert.report.cards.markdown import Section, bullets, paragraph, table
from chestxpert.report.cohort_table import cohort_table
from chestxpert.report.dataset.about import SPLIT_WORDS, stands_out
from chestxpert.report.dataset.figure_combinations import combinations_figure
from chestxpert.report.dataset.figure_frequency import frequency_figure
from chestxpert.report.dataset.figure_images import images_figure
from chestxpert.report.dataset.figure_people import people_figure
from chestxpert.report.dataset.figure_presence import presence_figure
from chestxpert.report.dataset.figure_shift import shift_figure
from chestxpert.report.dataset.figure_together import together_figure
from chestxpert.report.dataset.remarks import read_remarks
from chestxpert.report.dataset.shift import prevalence_shifts
from chestxpert.report.dataset.subject import PARTS, Subject
from chestxpert.report.figure import Figure
from chestxpert.report.scales import grouped
from chestxpert.report.words import times


def composition_section(dataset: Dataset, subject: Subject, draws: int, seed: int) -> Section:
    """Images, patients, splits, labels, who is in it, and what stands out."""
    shifts = prevalence_shifts(subject, draws, seed)
    told = stands_out(subject, shifts, read_remarks(dataset.folder))
    splits = replace(cohort_table(subject.cohort, PARTS), note="Images and patients by split")
    return Section("Composition", [bullets([*told, *_rest(subject)])], [
        Section("Splits", [paragraph(_split_words(dataset)), table(splits), *_tables(presence_figure(subject))]),
        Section("Labels", _tables(frequency_figure(subject))),
        Section("Labels together", [*_tables(together_figure(subject)), *_tables(combinations_figure(subject))]),
        Section("Shift to test", _tables(shift_figure(shifts, draws) if shifts else None)),
        Section("Who is in it", _tables(people_figure(subject))),
        Section("Images a patient", _tables(images_figure(subject))),
        Section("Boxes", _boxes(dataset)),
    ])  # fmt: skip


def _rest(subject: Subject) -> list[str]:
    """What has no table: what is known of a person, and how many copies there are."""
    found = ["Of a person the table holds a number, sex and age, and of an image its view; nothing else."]
    if subject.copies:
        found.append(f"Augmented copies of training images, counted nowhere here: {grouped(subject.copies)}.")
    return found


def _split_words(dataset: Dataset) -> str:
    split = str(dataset.info.get("split", ""))
    how = SPLIT_WORDS.get(split, split) or "not recorded"
    return f"How it was divided: {how}. Checked when this card was written: no patient is in two splits."


def _tables(figure: Figure | None) -> list[str]:
    """The tables beneath a figure of the data set's report; nothing where it has none."""
    if figure is None:
        return [paragraph("Not measured: there is nothing to count.")]
    return [table(replace(each, note=each.note or figure.title)) for each in figure.tables]


def _boxes(dataset: Dataset) -> Sequence[str]:
    boxes = dataset.boxes
    if not len(boxes):
        return [paragraph("It has no boxes around findings.")]
    images = boxes["image_id"].nunique()
    each = ", ".join(f"{name} {grouped(count)}" for name, count in boxes["finding"].value_counts().items())
    return [paragraph(f"Boxes around findings: {grouped(len(boxes))}, on {times(images, 'image')}: {each}.")]
