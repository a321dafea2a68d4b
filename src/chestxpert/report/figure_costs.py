"""What each recipe costs: parameters, training time, images seen in training, time to read one image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import SIDES, Figure, Table, two_widths
from chestxpert.report.results import Results
from chestxpert.report.rows import Mark, Panel, Row, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, duration, short

COSTS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "parameters": ("Parameters", short),
    "train_seconds": ("Training time", duration),
    "train_image_passes": ("Images seen", short),
    "ms_per_image": ("Time an image", lambda value: UNDEFINED if value is None else f"{value:.3g} ms"),
}


def costs_figure(results: Results, frozen: Collection[str] = ()) -> Figure:
    """Bars of the four costs of every recipe; `frozen` names those that trained heads on stored features."""
    names = [*results.recipes, *results.ensembles]
    rows = [Row(name, results.side(name)) for name in names]
    panels = [
        Panel(title, 0.0, _top(results, key), _bars(results, names, key, words), room=62, ticks=False)
        for key, (title, words) in COSTS.items()
    ]
    table = [[name, *(words(results.cost(name, key)) for key, (_, words) in COSTS.items())] for name in names]
    spoken = "; ".join(f"{row[0]} {row[2]} training" for row in table)
    return Figure(
        anchor="fig-costs",
        title="What each recipe costs",
        caption=(
            f"Of one run, mean over seeds, as recorded on the machine named under 'Where this comes from'. "
            f"{_seen(results.recipes, frozen)} Time an image is that of predicting. A cascade trains and asks one "
            "network a decision." + (" An ensemble costs what its members cost together." if results.ensembles else "")
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), f"Costs: {spoken}.", 24),
        tables=[Table(["recipe", *(title.lower() for title, _ in COSTS.values())], table)],
        keys=SIDES,
    )


def _seen(names: Collection[str], frozen: Collection[str]) -> str:
    """What images seen and training time count, which is another thing where the backbone is frozen."""
    trained = "Images seen counts every pass of an image through a network that was being trained."
    cached = (
        "images seen counts passes of cached features through the heads, and training time leaves out the one-time "
        "computation of those features."
    )
    of_them = [name for name in names if name in frozen]
    if not of_them:
        return trained
    if len(of_them) == len(names):
        return f"The backbone was frozen: {cached}"
    return f"{trained} Where the backbone was frozen ({', '.join(of_them)}), {cached}"


def _top(results: Results, key: str) -> float:
    return max((results.cost(name, key) or 0.0 for name in [*results.recipes, *results.ensembles]), default=0.0) or 1.0


def _bars(results: Results, names: Sequence[str], key: str, words: Callable[[float | None], str]) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        name = names[index]
        value = results.cost(name, key)
        x = scale(value or 0.0)
        canvas.rect(scale(0), y - 5.5, x - scale(0), 11, f"bar {results.side(name)}", tip=f"{name}: {words(value)}")
        canvas.text(x + 5, y + 4, words(value), "value")

    return mark
