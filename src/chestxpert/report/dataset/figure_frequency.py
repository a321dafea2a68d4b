"""Findings by frequency on a logarithmic axis, with head, medium and tail marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from chestxpert.cohort.frequency import GROUPS, HEAD, TAIL
from chestxpert.report.canvas import Canvas
from chestxpert.report.dataset.subject import PARTS, Subject, Tally
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.figures_cohort import SPLITS
from chestxpert.report.results import finding_name
from chestxpert.report.rows import Mark, Panel, Row, draw_rows
from chestxpert.report.scales import Scale, grouped, percent

_ROW = 22
_GROUP_WORDS = {
    "head": f"Head: above {100 * HEAD:g} % of the training images",
    "medium": "Medium",
    "tail": f"Tail: below {100 * TAIL:g} %",
}
_SHAPES = {"train": "point", "val": "box", "test": "lozenge"}


def frequency_figure(subject: Subject) -> Figure:
    """A row a label, a mark a split: images, and share of the images whose label is known."""
    tallies = {split: subject.tally((split,)) for split in SPLITS}
    tallies = {split: tally for split, tally in tallies.items() if tally.images}
    rows, labels = _rows(subject)
    shares = [share for tally in tallies.values() for label in subject.labels if (share := tally.share(label))]
    most = max([10, *(count for tally in tallies.values() for count in tally.counts.values())])
    panels = [
        _log_panel("Images", 0.6, most, _marks(labels, tallies, "images"), lambda value: grouped(value)),
        _log_panel(
            "Share of the split", min([*shares, TAIL]) / 1.6, max([*shares, HEAD]),
            _marks(labels, tallies, "share"), lambda value: f"{100 * value:g} %",
        ),
    ]  # fmt: skip
    train = tallies.get("train", subject.tally(("train",)))
    spoken = "; ".join(f"{finding_name(label)} {grouped(train.counts[label])}" for label in subject.labels)
    return Figure(
        anchor="fig-frequency",
        title="The long tail: head, medium and tail",
        caption=(
            "Both axes are logarithmic: each grid line is ten times the one before it. A hollow mark at the left end "
            f"means no image at all. The dashed lines stand at {100 * HEAD:g} % and {100 * TAIL:g} %: a label above "
            "the first in training is of the head, one below the second of the tail, as the CXR-LT challenge groups "
            "them (Holste et al., 2024). A share is that of the images whose label is known."
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), f"Training images: {spoken}.", _ROW),
        tables=[_table(subject)],
        keys=[Key(split, _SHAPES[split], SPLITS[split].lower()) for split in tallies],
    )


def _rows(subject: Subject) -> tuple[list[Row], list[str | None]]:
    """Rows with a heading before each group, and the label of each row, None for a heading."""
    rows: list[Row] = []
    labels: list[str | None] = []
    for group in GROUPS:
        members = [label for label in subject.labels if subject.groups[label] == group]
        if members:
            rows += [Row(_GROUP_WORDS[group], heading=True), *(Row(finding_name(label)) for label in members)]
            labels += [None, *members]
    return rows, labels


def _log_panel(title: str, low: float, high: float, mark: Mark, words: Callable[[float], str]) -> Panel:
    """Panel whose values are powers of ten; `low` and `high` are those of the data."""
    ticks = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return Panel(
        title, math.log10(low), math.log10(high) + 0.06, mark, room=14,
        tick_words=lambda value, _: words(10**value), at=list(ticks),
    )  # fmt: skip


def _marks(labels: Sequence[str | None], tallies: dict[str, Tally], what: str) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        label = labels[index]
        if label is None:
            return
        if what == "share":
            for cut in (HEAD, TAIL):
                x = scale(math.log10(cut))
                canvas.line(x, y - _ROW / 2, x, y + _ROW / 2, "reference")
        for split, tally in reversed(tallies.items()):
            share = tally.share(label)
            value = tally.counts[label] if what == "images" else share
            if share is None or value is None:
                continue
            tip = f"{finding_name(label)}, {split}: {grouped(tally.counts[label])} images, {percent(share, 2)}"
            x = scale(math.log10(value)) if value else scale.start
            draw_split_mark(canvas, x, y, split, hollow=not value, tip=tip)

    return mark


def draw_split_mark(canvas: Canvas, x: float, y: float, split: str, *, hollow: bool = False, tip: str = "") -> None:
    """Mark of a split: a circle for training, a square for validation, a diamond for test."""
    kind = f"{'hollow' if hollow else 'dot'} {split}"
    if split == "val":
        canvas.rect(x - 3.5, y - 3.5, 7, 7, kind, tip=tip)
    else:
        canvas.marker(x, y, split == "test", kind, size=4.2, tip=tip)


def _table(subject: Subject) -> Table:
    """Counts and shares of every label in every part, and how many are not known where any is."""
    tallies = {words: subject.tally(splits) for words, splits in PARTS.items()}
    tallies = {words: tally for words, tally in tallies.items() if tally.images}
    unknown = subject.unknown
    rows = []
    for label in subject.labels:
        cells = [(grouped(t.counts[label]), percent(t.share(label), 2)) for t in tallies.values()]
        last = [grouped(unknown.get(label, 0))] if unknown else []
        rows.append([finding_name(label), subject.groups[label], *(cell for pair in cells for cell in pair), *last])
    head = ["finding", "group", *(cell for _ in tallies for cell in ("images", "share"))]
    groups = [("", 2), *((words, 2) for words in tallies)]
    if unknown:
        head.append("not known")
        groups.append(("", 1))
    return Table(head, rows, words=2, note="Images with each label", groups=groups)
