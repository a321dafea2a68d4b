"""What each recipe costs: parameters, training time, images seen in training; networks and time to read one image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from markupsafe import Markup

from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import SIDES, Figure, Table, two_widths
from chestxpert.report.results import Results
from chestxpert.report.rows import Mark, Panel, Row, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, duration, percent, short

Costs = Mapping[str, tuple[str, Callable[[float | None], str]]]
"""By key of cost.json: its title, and its value in words."""


def _milliseconds(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.3g} ms"


TRAINING: Costs = {
    "parameters": ("Parameters", short),
    "train_seconds": ("Training time", duration),
    "train_image_passes": ("Images seen", short),
}
TIME: Costs = {"ms_per_image": ("Time an image", _milliseconds)}
READING: Costs = {
    "image_passes_per_image": ("Networks an image", short),
    "early_exit_image_passes_per_image": ("Networks, early exit", short),
    **TIME,
    "early_exit_ms_per_image": ("Time, early exit", _milliseconds),
}
_IN_PAIRS = [("", 1 + len(TRAINING)), ("networks an image", 2), ("time an image", 2)]
"""Groups of the table's columns where early exit is known."""


def costs_figure(results: Results, frozen: Collection[str] = ()) -> Figure:
    """Bars of the costs of every recipe; `frozen` names those that trained heads on stored features.

    Studies of versions that knew no early exit have one picture less, and fewer columns.
    """
    names = _names(results)
    exits = any(results.cost(name, key) is not None for name in names for key in READING if key not in TIME)
    pictures = [TRAINING, READING] if exits else [{**TRAINING, **TIME}]
    told = {key: cost for costs in pictures for key, cost in costs.items()}
    table = [[name, *(words(results.cost(name, key)) for key, (_, words) in told.items())] for name in names]
    head = ["recipe", *(title.lower() for title, _ in told.values())]
    if exits:
        head[-4:] = ["all", "early exit"] * 2
    return Figure(
        anchor="fig-costs",
        title="What each recipe costs",
        caption=(
            f"Of one run, mean over seeds, as recorded on the machine named under 'Where this comes from'. "
            f"{_seen(results.recipes, frozen)} Time an image is that of predicting. A cascade trains and asks one "
            f"network a decision.{_exit(results, frozen) if exits else ''}"
            + (" An ensemble costs what its members cost together." if results.ensembles else "")
        ),
        picture=Markup("").join(_picture(results, costs) for costs in pictures),
        tables=[Table(head, table, groups=_IN_PAIRS if exits else ()), *_asked_table(results)],
        keys=SIDES,
    )


def _names(results: Results) -> list[str]:
    return [*results.recipes, *results.ensembles]


def _picture(results: Results, costs: Costs) -> Markup:
    """Bars of some of the costs; those that are told in one unit have one scale."""
    names = _names(results)
    rows = [Row(name, results.side(name)) for name in names]
    panels = [
        Panel(title, 0.0, _top(results, key), _bars(results, names, key, words), room=62, ticks=False)
        for key, (title, words) in costs.items()
    ]
    spoken = "; ".join(f"{name} {_told(results, name, costs)}" for name in names)
    return two_widths(lambda frame: draw_rows(rows, panels, frame), f"Costs: {spoken}.", 24)


def _told(results: Results, name: str, costs: Costs) -> str:
    """Some of a recipe's costs, for whoever cannot see the bars."""
    return ", ".join(f"{title.lower()} {words(results.cost(name, key))}" for key, (title, words) in costs.items())


def _asked_table(results: Results) -> list[Table]:
    """Of each cascade, which share of the test images reaches each network."""
    rows = [
        [name, network, percent(share)] for name in results.recipes for network, share in results.asked(name).items()
    ]
    return [Table(["recipe", "network", "test images it is asked of, early exit"], rows, words=2)] if rows else []


def _exit(results: Results, frozen: Collection[str]) -> str:
    """What early exit is, and where it saves nothing."""
    words = (
        " With early exit, hard routing by the run's own thresholds asks a network only of the images that those above "
        "it let through, and the time is that of doing so. Flat recipes and those with one network for all "
        "decisions have nothing to leave out: further heads cost next to nothing beside the network."
    )
    if any(name in frozen for name in results.recipes if results.asked(name)):
        words += " Networks of a cascade that stand on one frozen backbone share it, so leaving one out saves its head."
    return words


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
    """End of the axis: with early exit, that of the same without, so that the two can be compared by eye."""
    whole = key.removeprefix("early_exit_")
    return max((results.cost(name, k) or 0.0 for name in _names(results) for k in (key, whole)), default=0.0) or 1.0


def _bars(results: Results, names: Sequence[str], key: str, words: Callable[[float | None], str]) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        name = names[index]
        value = results.cost(name, key)
        x = scale(value or 0.0)
        canvas.rect(scale(0), y - 5.5, x - scale(0), 11, f"bar {results.side(name)}", tip=f"{name}: {words(value)}")
        canvas.text(x + 5, y + 4, words(value), "value")

    return mark
