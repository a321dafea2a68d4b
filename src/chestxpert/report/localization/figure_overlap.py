"""The figure of boxes made from maps: how many true ones are found, the more overlap is asked for."""

from __future__ import annotations

from markupsafe import Markup

from chestxpert.evaluation.localization.measure import USUAL
from chestxpert.report.figure import Figure, Key, Table
from chestxpert.report.localization.stored import KINDS, Row, Stored, words
from chestxpert.report.scales import decimal
from chestxpert.report.small_plot import UnitPlot
from chestxpert.report.words import times

IN_TABLES = ("0.1", "0.25", "0.5", "0.7")


def overlap_figure(stored: Stored) -> Figure:
    """Accuracy against T(IoU), a plot for the mean and one for each finding."""
    rule = stored.result["settings"]["rule"]
    return Figure(
        anchor="fig-overlap",
        title="Do boxes made from the map find the box?",
        caption=(
            f"Upwards: the share of boxes that some box made from the map ({rule}) overlaps by more than T. Across: T, "
            "the intersection over union that is asked for. The dashed line is what the usual place of the finding "
            "reaches when it is turned into boxes by the same rule. Whoever makes more boxes finds more: false boxes "
            "are in the tables."
        ),
        picture=Markup("").join(_plot(stored, row) for row in stored.rows),
        tables=[_table(stored, overlap) for overlap in ("iou", "iobb")],
        keys=[
            *(Key(kind, "line", name) for name, kind in zip(stored.names, KINDS, strict=False)),
            Key("reference", "dash", USUAL),
        ],
        grid=True,
    )


def _plot(stored: Stored, row: Row) -> Markup:
    note = "findings" if row.cases is None else times(row.cases, "case")
    plot = UnitPlot(row.label, note, "T(IoU)", "found")
    kinds = [(USUAL, "reference"), *((name, f"strong {kind}") for name, kind in zip(stored.names, KINDS, strict=False))]
    spoken = []
    for name, kind in kinds:
        entries = [(at, row.lines[name][f"iou@{at:g}"]["mean"]) for at in stored.result["settings"]["thresholds"]]
        points = [(at, value) for at, value in entries if value is not None]
        plot.curve(points, kind)
        spoken.append(f"{name} {decimal(row.lines[name]['iou@0.25']['mean'])}")
    return plot.svg(f"{row.label}, boxes found at T(IoU) of 0.25: {'; '.join(spoken)}")


def _table(stored: Stored, overlap: str) -> Table:
    """Found boxes with their interval, and false ones an image, at a few T."""
    rows = []
    for row in stored.rows:
        for name in [*stored.names, USUAL]:
            cells = [words(row.lines[name][f"{overlap}@{at}"]) for at in IN_TABLES]
            false = [decimal(row.lines[name][f"{overlap}_false@{at}"]["mean"], 2) for at in IN_TABLES]
            rows.append([row.label, name, *cells, *false])
    title = {"iou": "T(IoU)", "iobb": "T(IoBB)"}[overlap]
    head = [*(f"found, {title} = {at}" for at in IN_TABLES), *(f"false, {at}" for at in IN_TABLES)]
    return Table(["finding", "line", *head], rows, words=2, note=f"{title}: boxes found, and false boxes an image")
