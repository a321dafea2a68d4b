"""How many images a patient has, by split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from chestxpert.report.dataset.subject import PARTS, Subject
from chestxpert.report.figure import Figure, Table, two_widths
from chestxpert.report.figures_cohort import SPLITS, count_bars
from chestxpert.report.rows import Panel, Row, draw_rows
from chestxpert.report.scales import decimal, grouped, percent

_BINS = {
    "1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6 to 10": 6, "11 to 20": 11, "21 to 50": 21, "51 to 100": 51,
    "more than 100": 101,
}  # fmt: skip
"""Classes of numbers of images, each with where it begins."""


def images_figure(subject: Subject) -> Figure:
    """Share of the patients of each split by their number of images."""
    numbers = {split: _numbers(subject, [split]) for split in SPLITS}
    numbers = {split: each for split, each in numbers.items() if len(each)}
    last = int(np.searchsorted(list(_BINS.values()), max(each.max() for each in numbers.values()), side="right"))
    bins = list(_BINS)[:last]
    counts = {split: _binned(each, bins) for split, each in numbers.items()}
    shares = {split: {b: n / len(numbers[split]) for b, n in each.items()} for split, each in counts.items()}
    high = max(share for each in shares.values() for share in each.values())
    panels = [
        Panel(
            f"{SPLITS[split]}: {grouped(len(each))} patients", 0.0, high,
            count_bars(bins, counts[split], shares[split], "patients"), room=78,
            tick_words=lambda value, _: f"{100 * value:.0f} %",
        )
        for split, each in numbers.items()
    ]  # fmt: skip
    rows = [Row("1 image" if words == "1" else f"{words} images") for words in bins]
    means = {split: each.mean() for split, each in numbers.items()}
    spoken = "; ".join(f"{SPLITS[split]} {decimal(mean, 2)}" for split, mean in means.items())
    return Figure(
        anchor="fig-images",
        title="How many images a patient has",
        caption=(
            "Share of a split's patients who have so many images. Images of one patient are alike, so many of one "
            "patient tell less than as many of different ones: intervals are drawn over patients for that reason."
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), f"Images per patient, mean: {spoken}.", 22),
        tables=[_bin_table(bins, counts, shares), _summary_table(subject)],
    )


def _numbers(subject: Subject, splits: list[str]) -> npt.NDArray[np.int64]:
    """Number of images of each patient of some splits."""
    rows = subject.rows(splits)
    return subject.table["patient_id"].iloc[rows].value_counts().to_numpy().astype(np.int64)


def _binned(numbers: npt.NDArray[np.int64], bins: list[str]) -> dict[str, int]:
    places = np.searchsorted(list(_BINS.values()), numbers, side="right") - 1
    return dict(zip(bins, np.bincount(places, minlength=len(bins)).tolist(), strict=True))


def _bin_table(
    bins: list[str], counts: Mapping[str, Mapping[str, int]], shares: Mapping[str, Mapping[str, float]]
) -> Table:
    rows = [[b, *(cell for s in counts for cell in (grouped(counts[s][b]), percent(shares[s][b])))] for b in bins]
    head = ["images", *(cell for split in counts for cell in (SPLITS[split].lower(), "share"))]
    return Table(head, rows, note="Patients by their number of images")


def _summary_table(subject: Subject) -> Table:
    rows = []
    for words, splits in PARTS.items():
        numbers = _numbers(subject, list(splits))
        if len(numbers):
            middle = [decimal(float(np.quantile(numbers, q)), 0) for q in (0.5, 0.9)]
            rows.append([words, grouped(len(numbers)), decimal(numbers.mean(), 2), *middle, grouped(numbers.max())])
    return Table(["split", "patients", "mean", "median", "90 %", "most"], rows, note="Images per patient")
