"""Builds the page of a data set: opens the folder, draws every figure, fills the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from chestxpert.dataset import Dataset
from chestxpert.errors import DataError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.files import write_text
from chestxpert.quality.remarks import FILE as QUALITY
from chestxpert.report.cohort_table import cohort_table
from chestxpert.report.dataset.about import facts, origin_table, stands_out
from chestxpert.report.dataset.figure_combinations import combinations_figure
from chestxpert.report.dataset.figure_frequency import frequency_figure
from chestxpert.report.dataset.figure_images import images_figure
from chestxpert.report.dataset.figure_people import people_figure
from chestxpert.report.dataset.figure_presence import presence_figure
from chestxpert.report.dataset.figure_shift import shift_figure
from chestxpert.report.dataset.figure_together import together_figure
from chestxpert.report.dataset.left_out import left_out_table
from chestxpert.report.dataset.remarks import grouped_remarks, read_remarks
from chestxpert.report.dataset.samples import samples
from chestxpert.report.dataset.shift import Shift, prevalence_shifts
from chestxpert.report.dataset.subject import PARTS, Subject
from chestxpert.report.dataset.thumbnails import Thumbnails
from chestxpert.report.figure import Figure
from chestxpert.report.page import render
from chestxpert.report.provenance import prepare_command

REPORT = "report.html"
SAMPLES = 6
MOST_SAMPLES = 12


def build_data_report(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    draws: int = DRAWS,
    samples_each: int = SAMPLES,
    seed: int = 0,
) -> Path:
    """Draw the page of a data set.

    Parameters
    ----------
    folder : str or Path
        Dataset folder as `chestxpert.dataset.prepare` makes it, with ``quality.csv`` if there was quality control.
    out : str or Path, optional
        The page; ``report.html`` in the folder if None.
    draws : int
        Bootstrap draws over patients behind the intervals of the prevalence shift, at least 1.
    samples_each : int
        Sample images of each label, 0 to 12.
    seed : int
        Decides which samples and which patients are drawn. The same folder and arguments give the same bytes.

    Returns
    -------
    Path
        Of the page: one file that needs nothing else, written aside and then renamed.

    Raises
    ------
    UsageError
        If an argument is out of range.
    DataError, CohortError, StoreError
        If the folder is no data set, or a part of it is damaged.
    """
    if draws < 1 or seed < 0 or not 0 <= samples_each <= MOST_SAMPLES:
        raise UsageError(
            f"A data report takes 1 draw or more, a seed of 0 or more and 0 to {MOST_SAMPLES} samples a label, got "
            f"{draws}, {seed} and {samples_each}."
        )
    dataset = Dataset.load(folder)
    if not len(dataset.cohort):
        raise DataError(
            f"The cohort in {folder} has no image, so there is nothing to show. Prepare the data set again."
        )
    path = dataset.folder / REPORT if out is None else Path(out)
    write_text(path, render("data_report.html", _context(dataset, draws, samples_each, seed)))
    return path


def _context(dataset: Dataset, draws: int, samples_each: int, seed: int) -> dict[str, Any]:
    subject, remarks = Subject.of(dataset.cohort), read_remarks(dataset.folder)
    shifts = prevalence_shifts(subject, draws, seed)
    picture = Thumbnails(dataset.store).uri
    told = stands_out(subject, shifts, remarks)
    return {
        "title": dataset.folder.resolve().name,
        "description": told[0],
        "simulated": dataset.cohort.simulated,
        "facts": facts(subject),
        "told": told,
        "copies": subject.copies,
        "splits": replace(cohort_table(subject.cohort, PARTS), note="Images and patients by split"),
        "figures": _figures(subject, shifts, draws),
        "samples": samples(subject, picture, samples_each, seed),
        "seed": seed,
        "remarks": None if remarks is None else grouped_remarks(remarks, picture),
        "quality_path": str(dataset.folder / QUALITY),
        "left_out": left_out_table(dataset.folder),
        "rejects_path": str(dataset.folder / "rejects.csv"),
        "notes": [str(note) for note in dataset.info.get("notes", [])],
        "origin": origin_table(dataset),
        "command": prepare_command({"prepared": dataset.info, "dataset": str(dataset.folder)}),
    }


def _figures(subject: Subject, shifts: dict[str, Shift], draws: int) -> dict[str, Figure]:
    """Every figure that this data set has, by anchor, in the order of the page."""
    figures = [
        presence_figure(subject),
        frequency_figure(subject),
        together_figure(subject),
        combinations_figure(subject),
        shift_figure(shifts, draws) if shifts else None,
        people_figure(subject),
        images_figure(subject),
    ]
    return {figure.anchor: figure for figure in figures if figure is not None}
