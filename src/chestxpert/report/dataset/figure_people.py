"""Who has each finding: age, sex and view of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.report.canvas import Canvas
from chestxpert.report.dataset.subject import Subject
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.results import finding_name
from chestxpert.report.rows import Mark, Panel, Row, draw_rows, draw_stack
from chestxpert.report.scales import UNDEFINED, Scale, decimal, grouped, percent

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SEXES = {"F": "women", "M": "men"}
_UNKNOWN = "not known"
_COLOURS = 3


@dataclass(frozen=True)
class People:
    """What is known of the people on some images.

    Attributes
    ----------
    words : str
        Whose images.
    images : int
    ages : (5,) float64 array
        5, 25, 50, 75 and 95 % of the known ages in years; NaN if none is known.
    ages_missing : int
    counts : dict of str to dict of str to int
        For "sex" and "view", images of each value; "" is not known.
    """

    words: str
    images: int
    ages: npt.NDArray[np.float64]
    ages_missing: int
    counts: dict[str, dict[str, int]]


def people(subject: Subject) -> list[People]:
    """People on all images, then on those of each label in the order shown."""
    table = subject.table
    groups = [("All images", np.ones(len(table), dtype=np.bool_))]
    groups += [(finding_name(label), subject.truth[:, column]) for column, label in enumerate(subject.labels)]
    return [_people(words, table[rows]) for words, rows in groups]


def _people(words: str, part: pd.DataFrame) -> People:
    ages = part["age"].dropna().to_numpy(dtype=np.float64)
    quantiles = np.quantile(ages, _QUANTILES) if len(ages) else np.full(len(_QUANTILES), np.nan)
    counts = {name: {str(v): int(n) for v, n in part[name].value_counts().items()} for name in ("sex", "view")}
    return People(words, len(part), quantiles, len(part) - len(ages), counts)


def people_figure(subject: Subject) -> Figure:
    """A row a label: box of ages, stacked shares of sex and view."""
    groups = people(subject)
    sexes, views = (_values(groups[0].counts[name]) for name in ("sex", "view"))
    oldest = max([90.0, *(group.ages[-1] for group in groups if group.ages[-1] == group.ages[-1])])
    panels = [
        Panel("Age in years", 0.0, float(oldest) + 2, _boxes(groups), reference=_median(groups[0]), weight=1.2),
        Panel("Sex", 0.0, 1.0, _stacks(groups, "sex", sexes), tick_words=_percent, room=10),
        Panel("View", 0.0, 1.0, _stacks(groups, "view", views), tick_words=_percent, room=10),
    ]
    rows = [Row(group.words, note=grouped(group.images), strong=not place) for place, group in enumerate(groups)]
    spoken = "; ".join(f"{group.words} {decimal(float(group.ages[2]), 0)}" for group in groups)
    keys = [Key(_kind(sexes, v), "block", f"sex: {_words(v)}") for v in sexes if v]
    keys += [Key(_kind(views, v), "block", f"view: {_words(v)}") for v in views if v]
    keys += [Key("unsure", "block", _UNKNOWN)] if "" in [*sexes, *views] else []
    return Figure(
        anchor="fig-people",
        title="Age, sex and view by finding",
        caption=(
            "All splits together. Ages: the box holds the middle half, the upright line in it is the median, the thin "
            "line reaches from 5 to 95 %; dashed, the median of all images. Sex and view are shares of the images. A "
            "finding whose images differ much from all images can be guessed without looking at the lungs: a network "
            "may learn the view, the age or the sex in its place."
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame, "images"), f"Median age: {spoken}.", 22),
        tables=[_age_table(groups), _share_table(groups, sexes, views)],
        keys=keys,
    )


def _percent(value: float, _: float) -> str:
    return f"{100 * value:.0f} %"


def _median(group: People) -> float | None:
    return float(group.ages[2]) if group.ages[2] == group.ages[2] else None


def _values(counts: dict[str, int]) -> list[str]:
    """Values that occur, most frequent first, what is not known last."""
    return sorted(counts, key=lambda value: (not value, -counts[value], value))


def _words(value: str) -> str:
    return _SEXES.get(value, value or _UNKNOWN)


def _kind(values: Sequence[str], value: str) -> str:
    return f"share-{values.index(value) % _COLOURS}" if value else "unsure"


def _boxes(groups: Sequence[People]) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        group = groups[index]
        if group.ages[2] != group.ages[2]:
            canvas.text(scale(0) + 4, y + 4, _UNKNOWN if group.images else UNDEFINED, "tick")
            return
        low, first, median, third, high = (scale(age) for age in group.ages)
        words = ", ".join(decimal(age, 0) for age in group.ages[1:4])
        canvas.line(low, y, high, y, "interval thin plain")
        canvas.rect(first, y - 5.5, third - first, 11, "bar plain", tip=f"{group.words}: quartiles {words} years")
        canvas.line(median, y - 6.5, median, y + 6.5, "guess")

    return mark


def _stacks(groups: Sequence[People], name: str, values: Sequence[str]) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        group = groups[index]
        if not group.images:
            canvas.text(scale(0) + 4, y + 4, UNDEFINED, "tick")
            return
        shares = {value: group.counts[name].get(value, 0) / group.images for value in values}
        tips = {value: f"{group.words}: {percent(share)} {_words(value)}" for value, share in shares.items()}
        draw_stack(canvas, scale, [(_kind(values, v), share, tips[v]) for v, share in shares.items()], y)

    return mark


def _age_table(groups: Sequence[People]) -> Table:
    rows = [
        [g.words, grouped(g.images), *(decimal(float(age), 0) for age in g.ages), grouped(g.ages_missing)]
        for g in groups
    ]
    head = ["finding", "images", "5 %", "25 %", "median", "75 %", "95 %", _UNKNOWN]
    return Table(head, rows, note="Age in years by finding")


def _share_table(groups: Sequence[People], sexes: Sequence[str], views: Sequence[str]) -> Table:
    """Images and shares of each value; how many are not known stands among them."""
    columns = [("sex", value) for value in [*filter(None, sexes), ""]]
    columns += [("view", value) for value in [*filter(None, views), ""]]
    rows = []
    for group in groups:
        counts = [group.counts[name].get(value, 0) for name, value in columns]
        shares = [percent(count / group.images if group.images else None) for count in counts]
        rows.append([group.words, *(cell for pair in zip(map(grouped, counts), shares, strict=True) for cell in pair)])
    head = ["finding", *(cell for _, value in columns for cell in (_words(value), "share"))]
    spans = [sum(name == each for each, _ in columns) * 2 for name in ("sex", "view")]
    return Table(head, rows, note="Sex and view by finding", groups=[("", 1), ("sex", spans[0]), ("view", spans[1])])
