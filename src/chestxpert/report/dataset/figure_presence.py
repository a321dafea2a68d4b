"""How many images of each split carry a finding at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.report.canvas import Canvas
from chestxpert.report.dataset.subject import PARTS, Subject
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.rows import Panel, Row, draw_rows, draw_stack
from chestxpert.report.scales import Scale, grouped, percent

_STATES = {"with": "a finding", "without": "no finding", "unsure": "not known"}


def presence(subject: Subject) -> npt.NDArray[np.int64]:
    """State of each image, (N,): 0 carries a finding, 1 carries none, 2 is not known to be either.

    An image carries none if its 'No Finding' holds; where there is no such label, if all findings are known not to.
    """
    columns = subject.columns(subject.findings)
    found = subject.truth[:, columns].any(axis=1)
    no_finding = subject.cohort.label_space.no_finding
    if no_finding is None:
        none = subject.known[:, columns].all(axis=1) & ~found
    else:
        none = subject.truth[:, subject.labels.index(no_finding)]
    return np.select([found, none], [0, 1], default=2)


def presence_figure(subject: Subject) -> Figure:
    """Stacked bars: a finding, none, or not known, a row a part of the data set."""
    states = presence(subject)
    counts = {words: np.bincount(states[subject.rows(splits)], minlength=3).tolist() for words, splits in PARTS.items()}
    counts = {words: each for words, each in counts.items() if sum(each)}
    kinds = [place for place in range(3) if any(each[place] for each in counts.values())]
    names, words = list(_STATES), list(_STATES.values())

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        part, each = list(counts.items())[index]
        shares = [count / sum(each) for count in each]
        tips = [f"{part}: {grouped(each[k])} images with {words[k]}, {percent(shares[k])}" for k in kinds]
        draw_stack(canvas, scale, [(names[k], shares[k], tip) for k, tip in zip(kinds, tips, strict=True)], y)
        for k in (0, 1):
            if shares[k] > 0.12:
                canvas.text(scale(sum(shares[:k])) + 6, y + 4, percent(shares[k]), f"value on {names[k]}")

    panel = Panel("Share of the images", 0.0, 1.0, mark, tick_words=lambda value, _: f"{100 * value:.0f} %", room=12)
    rows = [Row(part, note=grouped(sum(each))) for part, each in counts.items()]
    table = [
        [part, grouped(sum(each)), *(cell for k in kinds for cell in (grouped(each[k]), percent(each[k] / sum(each))))]
        for part, each in counts.items()
    ]
    spoken = "; ".join(f"{part} {percent(each[0] / sum(each))}" for part, each in counts.items())
    return Figure(
        anchor="fig-presence",
        title="Finding or no finding",
        caption=(
            "Of each split's images, those that carry at least one finding and those labelled with none. No finding "
            "means that none of the label space's findings was named; it does not mean normal."
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, [panel], frame, note_title="images"), f"Share with a finding: {spoken}.", 26
        ),
        tables=[
            Table(
                ["split", "images", *(cell for k in kinds for cell in (words[k], "share"))],
                table,
                note="Images with a finding and without",
            )
        ],
        keys=[Key(names[k], "block", words[k]) for k in kinds],
    )
