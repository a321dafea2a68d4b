"""Figures of the cohort: how often each finding occurs in each split, and which findings occur together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import Figure, Table, two_widths
from chestxpert.report.results import finding_name
from chestxpert.report.rows import Frame, Mark, Panel, Row, draw_rows
from chestxpert.report.scales import Scale, grouped, percent, text_width

SPLITS = {"train": "Training", "val": "Validation", "test": "Test"}

_DRAWN = 20
"""Findings for which a heat map has room."""


def distribution_figure(
    labels: Sequence[str],
    counts: Mapping[str, Mapping[str, int]],
    known: Mapping[str, Mapping[str, int]],
    sizes: Mapping[str, int],
) -> Figure:
    """Share of the images of each split that carry each label, among those of which it is known.

    Parameters
    ----------
    labels : sequence of str
        In the order shown.
    counts, known : mapping of split to mapping of label to the images that carry it, and to those that tell
    sizes : mapping of split to its images
    """
    unknown = {split: {label: sizes[split] - known[split][label] for label in labels} for split in SPLITS}
    any_unknown = any(number for each in unknown.values() for number in each.values())
    shares = {
        split: {label: _share(counts[split][label], known[split][label], sizes[split]) for label in labels}
        for split in SPLITS
    }
    high = max((share for each in shares.values() for share in each.values() if share is not None), default=0.0) or 1.0
    panels = [
        Panel(
            f"{words}: {grouped(sizes[split])} images", 0.0, high,
            count_bars(labels, counts[split], shares[split], unknown=unknown[split]), room=78,
            tick_words=lambda value, _: f"{100 * value:.0f} %",
        )
        for split, words in SPLITS.items()
    ]  # fmt: skip
    rows = [Row(finding_name(label)) for label in labels]
    table = [
        [finding_name(label)]
        + [cell for s in SPLITS for cell in (grouped(counts[s][label]), percent(shares[s][label]))]
        + [grouped(unknown[s][label]) for s in SPLITS if any_unknown]
        for label in labels
    ]
    head = ["finding", *(cell for words in SPLITS.values() for cell in (words.lower(), "share"))]
    head += [f"unknown in {words.lower()}" for words in SPLITS.values() if any_unknown]
    spoken = "; ".join(f"{finding_name(label)} {percent(shares['train'][label])}" for label in labels)
    return Figure(
        anchor="fig-distribution",
        title="The long tail",
        caption=(
            "Bars: share of a split's images that carry the finding; beside it the number of images and the "
            "share. Shares add up to more than 100 %, since an image may carry several findings."
            + (" Each share is one of the images of which the label is known." if any_unknown else "")
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), f"Share of training images: {spoken}.", 21),
        tables=[Table(head, table)],
    )


def _share(count: int, known: int, size: int) -> float | None:
    """Share of the images that tell; None where there are images and none of them does."""
    return None if size and not known else count / max(known, 1)


def count_bars(
    labels: Sequence[str],
    counts: Mapping[str, int],
    shares: Mapping[str, float] | Mapping[str, float | None],
    unit: str = "images",
    unknown: Mapping[str, int] | None = None,
) -> Mark:
    """Bars of shares, a label a row, each with its number and its share beside it; None is a share nobody knows."""

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        label = labels[index]
        share = shares[label]
        if share is None:
            canvas.text(scale(0) + 5, y + 4, "unknown", "tick")
            return
        x = scale(share)
        tip = f"{finding_name(label)}: {grouped(counts[label])} {unit}, {percent(share)}"
        if unknown is not None and unknown[label]:
            tip += f", unknown on {grouped(unknown[label])}"
        canvas.rect(scale(0), y - 5.5, x - scale(0), 11, "bar plain", tip=tip)
        canvas.text(x + 5, y + 4, grouped(counts[label]), "value")
        canvas.text(x + 10 + text_width(grouped(counts[label]), 11), y + 4, percent(share), "tick")

    return mark


def cooccurrence_figure(
    findings: Sequence[str], labels: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_] | None = None
) -> Figure:
    """Heat map: of the images with the row's finding, the share that also carry the column's.

    Parameters
    ----------
    findings : sequence of str
        Without 'No Finding', most frequent first.
    labels : (N, F) bool array
        Columns in the order of `findings`, False where unknown; rows without any finding do not matter.
    known : (N, F) bool array, optional
        Where a label is known, if not everywhere: a share is that of the images where the column's is known, and a
        finding is alone among those where all are that are known of any image.
    """
    counts = matches(labels, labels)
    totals = counts.diagonal()
    shares, alone = _together_and_alone(labels, counts, np.ones_like(labels) if known is None else known)

    shown = min(_DRAWN, len(findings))
    more = f" Only the {shown} most frequent findings are drawn; the table has all." if shown < len(findings) else ""

    def draw(frame: Frame) -> Canvas:
        return _heat_map(findings[:shown], shares[:shown, :shown], alone, totals, frame)

    table = [
        [finding_name(f), grouped(totals[i]), percent(float(alone[i]), 0)]
        + ["" if i == j else grouped(counts[i, j]) for j in range(len(findings))]
        for i, f in enumerate(findings)
    ]
    return Figure(
        anchor="fig-cooccurrence",
        title="Which findings come together",
        caption=(
            "Read along a row: of all the images with this finding, in every split, how many in a hundred also "
            "carry the finding of the column. The first column says how many carry this finding alone."
            + ("" if known is None else " Images that do not tell, since a label is unknown, are left out.")
            + more
        ),
        picture=two_widths(draw, _pairs(findings, shares)),
        tables=[Table(["finding", "images", "alone", *map(finding_name, findings)], table, note="Images with both")],
    )


def matches(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """In how many of N images both a column of `a` and a column of `b` hold, (A, B); float32 counts to 2**24."""
    return (a.astype(np.float32).T @ b.astype(np.float32)).astype(np.int64)


def _together_and_alone(
    labels: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Share of each finding's images that carry each other one, and share that carry no other."""
    whole = known[:, known.any(axis=0)].all(axis=1)
    single = (labels & (whole & (labels.sum(axis=1) == 1))[:, None]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return counts / matches(labels, known), single / labels[whole].sum(axis=0)


def _heat_map(
    findings: Sequence[str],
    shares: npt.NDArray[np.float64],
    alone: npt.NDArray[np.float64],
    totals: npt.NDArray[np.int64],
    frame: Frame,
) -> Canvas:
    small = 9.5 if frame.stacked else 12
    left = max(text_width(finding_name(f), small) for f in findings) + (8 if frame.stacked else 56)
    # No head may run over the edge: on paper it would be cut there.
    widths = [0.72 * text_width(finding_name(f), small) for f in findings]
    rooms = [(frame.width - left - 20 - width) / (column + 1.5) for column, width in enumerate(widths)]
    cell = min((frame.width - left - 8) / (len(findings) + 1), *rooms)
    tall = min(cell, 30.0)
    head = max(text_width(finding_name(f), small) for f in findings) * 0.72 + 14
    canvas = Canvas(frame.width, head + tall * len(findings) + 4)
    _heads(canvas, ["alone", *map(finding_name, findings)], left, cell, head, frame.stacked)
    for i, finding in enumerate(findings):
        y = head + i * tall
        end = left - 8 if frame.stacked else left - 52
        canvas.text(end, y + tall / 2 + 4, finding_name(finding), "label small" if frame.stacked else "label", "end")
        if not frame.stacked:
            canvas.text(left - 10, y + tall / 2 + 4, grouped(totals[i]), "tick", "end")
        _cell(canvas, (left, y, cell, tall), float(alone[i]), f"{finding_name(finding)} alone", "plain", frame.stacked)
        for j, other in enumerate(findings):
            if i != j:
                words = f"of images with {finding_name(finding)}, {finding_name(other)}"
                place = (left + 8 + (j + 1) * cell, y, cell, tall)
                _cell(canvas, place, float(shares[i, j]), words, "heat", frame.stacked)
    return canvas


def _heads(canvas: Canvas, names: Sequence[str], left: float, cell: float, head: float, small: bool) -> None:
    for column, name in enumerate(names):
        x = left + (8 if column else 0) + (column + 0.5) * cell + 4
        canvas.text(x, head - 6, name, "label small" if small else "label", turn=-45)


def _cell(
    canvas: Canvas, place: tuple[float, float, float, float], share: float, words: str, kind: str, small: bool
) -> None:
    x, y, width, height = place
    if not np.isfinite(share):
        canvas.text(x + width / 2, y + height / 2 + 4, "\N{EN DASH}", "tick", "middle")
        return
    # The strength of the tint stops at 60 %: hardly any pair comes together more often.
    strength = f"{min(share / 0.6, 1.0):.2f}"
    canvas.rect(x + 0.75, y + 0.75, width - 1.5, height - 1.5, f"cell {kind}", tip=f"{words}: {percent(share)}",
                fill_opacity=strength, rx="2")  # fmt: skip
    if not small or share >= 0.095:
        kind = "cell-text on" if share > 0.36 else "cell-text"
        canvas.text(
            x + width / 2, y + height / 2 + 3.5, f"{100 * share:.0f}", kind + (" small" if small else ""), "middle"
        )


def _pairs(findings: Sequence[str], shares: npt.NDArray[np.float64]) -> str:
    found = [
        (float(shares[i, j]), f, g)
        for i, f in enumerate(findings)
        for j, g in enumerate(findings)
        if i != j and np.isfinite(shares[i, j])
    ]
    most = sorted(found, reverse=True)[:5]
    return "Most frequent together: " + "; ".join(
        f"{percent(share, 0)} of images with {finding_name(f)} also carry {finding_name(g)}" for share, f, g in most
    )
