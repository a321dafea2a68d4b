"""Which findings are named together on one image: combinations as rows of dots, with their number of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.report.canvas import Canvas
from chestxpert.report.dataset.subject import BoolArray, Subject
from chestxpert.report.figure import Figure, Table, two_widths
from chestxpert.report.results import finding_name
from chestxpert.report.rows import Frame
from chestxpert.report.scales import Scale, grouped, percent, text_width

SHOWN = 20
_ROW = 22.0


@dataclass(frozen=True, eq=False)
class Combinations:
    """Sets of findings that occur on one image, most frequent first.

    Attributes
    ----------
    members : (C, F) bool array
        Which findings each combination holds; the empty one is left out.
    counts : (C,) int64 array
        Images with exactly these findings.
    empty : int
        Images with none.
    unsure : int
        Images of which some finding is not known, so that their combination is not either.
    """

    members: BoolArray
    counts: npt.NDArray[np.int64]
    empty: int
    unsure: int


def combinations(truth: BoolArray, known: BoolArray) -> Combinations:
    """Combinations of N images; equally frequent ones in the order of their findings.

    Parameters
    ----------
    truth, known : (N, F) bool array
    """
    whole = known.all(axis=1)
    packed = np.packbits(truth[whole], axis=1)
    codes, counts = np.unique(packed, axis=0, return_counts=True)
    members = np.unpackbits(codes, axis=1, count=truth.shape[1]).astype(np.bool_)
    some = members.any(axis=1)
    # np.unique sorts its codes upwards; the first finding is the highest bit, so downwards is the order of findings.
    order = np.argsort(-counts[some][::-1], kind="stable")
    return Combinations(
        members[some][::-1][order],
        counts[some][::-1][order].astype(np.int64),
        int(counts[~some].sum()),
        int((~whole).sum()),
    )


def combinations_figure(subject: Subject) -> Figure | None:
    """Rows of dots and bars (Lex et al., UpSet, IEEE TVCG 20, 2014, turned on its side); None without findings.

    Findings that are known of no image at all are left out, so that they do not make every combination unknown.
    """
    findings = [f for f in subject.findings if subject.known[:, subject.labels.index(f)].any()]
    if not findings:
        return None
    columns = subject.columns(findings)
    found = combinations(subject.truth[:, columns], subject.known[:, columns])
    if not len(found.counts):
        return None
    shown = min(SHOWN, len(found.counts))
    used = [place for place in range(len(findings)) if found.members[:shown, place].any()]
    names = [finding_name(findings[place]) for place in used]
    total = len(subject.cohort)

    def draw(frame: Frame) -> Canvas:
        return _draw(names, found.members[:shown][:, used], found.counts[:shown], total, frame)

    named = [_words(findings, row) for row in found.members[:shown]]
    first = zip(named[:5], found.counts[:5].tolist(), strict=False)
    spoken = "; ".join(f"{words} {grouped(count)}" for words, count in first)
    return Figure(
        anchor="fig-combinations",
        title="Label combinations",
        caption=_caption(found, shown),
        picture=two_widths(draw, f"Most frequent combinations: {spoken}."),
        tables=[
            Table(
                ["findings", "number of findings", "images", "share of all images"],
                [
                    [words, str(int(row.sum())), grouped(count), percent(count / total, 2)]
                    for words, row, count in zip(named, found.members, found.counts.tolist(), strict=False)
                ],
                note="Images with exactly these findings",
            )
        ],
    )


def _caption(found: Combinations, shown: int) -> str:
    """How to read the figure, and what it does not show."""
    rest, images = len(found.counts) - shown, int(found.counts[shown:].sum())
    words = [
        "Each row is a set of findings: the dots say which, the bar how many images carry exactly these and no other.",
        f"{grouped(rest)} more combinations, {grouped(images)} images together, are not shown." if rest else "",
        f"{grouped(found.empty)} images without any finding stand outside of the figure.",
        f"So do {grouped(found.unsure)} images of which a finding is not known." if found.unsure else "",
    ]
    return " ".join(sentence for sentence in words if sentence)


def _words(findings: Sequence[str], members: BoolArray) -> str:
    return " + ".join(finding_name(findings[place]) for place in np.flatnonzero(members).tolist())


def _draw(names: Sequence[str], members: BoolArray, counts: npt.NDArray[np.int64], total: int, frame: Frame) -> Canvas:
    small = 9.5 if frame.stacked else 12.0
    pitch = min(20.0, frame.width * 0.46 / len(names))
    left = pitch * len(names) + 8
    top = max(text_width(name, small) for name in names) * 0.72 + 16
    canvas = Canvas(frame.width, top + _ROW * len(members) + 4)
    for column, name in enumerate(names):
        kind = "label small" if frame.stacked else "label"
        canvas.text((column + 0.5) * pitch + 3, top - 8, name, kind, turn=-45)
    canvas.text(frame.width, 13, "images", "tick", "end")
    scale = Scale(0.0, float(counts.max()), left, frame.width - 84)
    for index, (row, count) in enumerate(zip(members, counts.tolist(), strict=True)):
        y = top + _ROW * (index + 0.5)
        if index % 2 == 0:
            canvas.rect(0, y - _ROW / 2, frame.width, _ROW, "stripe")
        tip = f"{_words(names, row)}: {grouped(count)} images, {percent(count / total, 2)}"
        _dots(canvas, row, pitch, y, tip)
        end = scale(count)
        canvas.rect(left, y - 5.5, end - left, 11, "bar plain", tip=tip)
        canvas.text(end + 5, y + 4, grouped(count), "value")
        canvas.text(end + 10 + text_width(grouped(count), 11), y + 4, percent(count / total), "tick")
    return canvas


def _dots(canvas: Canvas, members: BoolArray, pitch: float, y: float, tip: str) -> None:
    middles, radius = (np.arange(len(members)) + 0.5) * pitch, min(5.0, pitch * 0.36)
    for x in middles[~members].tolist():
        canvas.circle(x, y, radius * 0.62, "no-member")
    there = middles[members].tolist()
    canvas.line(there[0], y, there[-1], y, "joint")
    for x in there:
        canvas.circle(x, y, radius, "member", tip=tip)
