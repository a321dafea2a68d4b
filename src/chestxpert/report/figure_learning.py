"""Learning curves: validation macro average precision and losses by epoch, a plot a network, a line a seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from chestxpert.report.canvas import Canvas, Point
from chestxpert.report.figure import Figure, Key, Table
from chestxpert.report.results import Results
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain, shortened, tick_step, tick_text

Line = Mapping[str, Any]
"""One line of metrics.jsonl."""

_WIDTH, _LEFT, _RIGHT = 196.0, 34.0, 6.0
_UPPER = (118.0, 38.0)
_LOWER = (206.0, 148.0)
_HEIGHT = 226.0
_STAGED = (
    " Where a second stage begins there is an upright line: it starts with the marked weights of the first stage, and "
    "the mark right of the line is what was kept, even if the first stage scored higher. Its loss may be another one."
)


def learning_figure(results: Results, histories: Mapping[str, Mapping[int, Sequence[Line]]]) -> Figure:
    """Small multiples of the training histories.

    Parameters
    ----------
    results : Results
    histories : mapping of recipe to mapping of seed to the lines of its metrics.jsonl
    """
    staged = any("stage" in line for seeds in histories.values() for lines in seeds.values() for line in lines)
    networks = [(recipe, network) for recipe in results.recipes for network in _networks(histories[recipe])]
    single = {recipe: lines for recipe, lines in histories.items() if not _cascade(results, recipe)}
    shared = _values(single, "val_macro_ap")
    plots = [
        _plot(results, recipe, network, _series(histories[recipe], network), shared) for recipe, network in networks
    ]
    table = [row for recipe, network in networks for row in _best(recipe, network, _series(histories[recipe], network))]
    return Figure(
        anchor="fig-learning",
        title="How training went",
        caption=(
            "Above: macro average precision on validation after each epoch, one line a seed; the mark is the "
            "epoch whose weights were kept. All single networks share one axis; the networks of a cascade each "
            "answer a question of their own, on an axis of their own. Below: training loss (dashed) and "
            "validation loss (solid); losses of different recipes weigh findings differently and do not compare."
            f"{_STAGED if staged else ''}"
        ),
        picture=Markup("").join(plots),
        tables=[Table(["recipe", "network", "seed", "epochs", "best epoch", "validation macro AP"], table, words=2)],
        keys=[
            Key("plain", "line", "validation"),
            Key("plain", "dash", "training loss"),
            *([Key("reference", "line", "a second stage begins")] if staged else []),
        ],
        grid=True,
    )


def _cascade(results: Results, recipe: str) -> bool:
    return bool(results.recipe(recipe)["architecture"] == "cascade")


def _networks(seeds: Mapping[int, Sequence[Line]]) -> list[str]:
    return list(dict.fromkeys(str(line["network"]) for lines in seeds.values() for line in lines))


def _series(seeds: Mapping[int, Sequence[Line]], network: str) -> dict[int, list[Line]]:
    return {seed: [line for line in lines if line["network"] == network] for seed, lines in seeds.items()}


def _values(histories: Mapping[str, Mapping[int, Sequence[Line]]], key: str) -> list[float]:
    lines = (line for seeds in histories.values() for each in seeds.values() for line in each)
    return [value for line in lines if (value := _number(line, key)) is not None]


def _number(line: Line, key: str) -> float | None:
    value = line.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _points(lines: Sequence[Line], key: str, x: Scale, y: Scale) -> list[Point]:
    pairs = [(line["epoch"], _number(line, key)) for line in lines]
    return [(x(float(epoch)), y(value)) for epoch, value in pairs if value is not None]


def _plot(
    results: Results, recipe: str, network: str, series: Mapping[int, Sequence[Line]], shared: Sequence[float]
) -> Markup:
    side, cascade = results.side(recipe), _cascade(results, recipe)
    lines = [line for each in series.values() for line in each]
    last = max((int(line["epoch"]) for line in lines), default=1)
    own = [_number(line, "val_macro_ap") for line in lines]
    scores = own if cascade else list(shared)
    losses = [_number(line, key) for line in lines for key in ("train_loss", "val_loss")]
    x = Scale(1.0, max(last, 2), _LEFT, _WIDTH - _RIGHT)
    y, loss = Scale(*domain(scores, floor=0.0), *_UPPER), Scale(*domain(losses, floor=0.0), *_LOWER)
    canvas = Canvas(_WIDTH, _HEIGHT)
    title = f"{recipe}, {network}" if cascade else recipe
    canvas.text(0, 12, shortened(title, 12.5, canvas.width), f"panel-title {side}")
    canvas.text(0, 29, "validation macro AP", "tick")
    canvas.text(0, 140, "loss", "tick")
    for scale, values, most in ((y, own, 4), (loss, losses, 3)):
        if any(value is not None for value in values):
            _grid(canvas, scale, most)
        else:
            canvas.text(_LEFT, sum(_UPPER if scale is y else _LOWER) / 2, UNDEFINED, "tick")
    _epochs(canvas, x, last)
    for each in series.values():
        _curves(canvas, each, (x, y, loss), side)
    return canvas.svg(f"Learning curves of {recipe}, network {network}", "small", (recipe,))


def _curves(canvas: Canvas, lines: Sequence[Line], scales: tuple[Scale, Scale, Scale], side: str) -> None:
    x, y, loss = scales
    for number, stage in enumerate(_stages(lines)):
        if number:
            begin = x(float(stage[0]["epoch"]) - 0.5)
            for low, high in (_UPPER, _LOWER):
                canvas.line(begin, low, begin, high, "reference")
        canvas.path(_points(stage, "train_loss", x, loss), f"curve dashed {side}")
        canvas.path(_points(stage, "val_loss", x, loss), f"curve {side}")
        canvas.path(_points(stage, "val_macro_ap", x, y), f"curve {side}")
        best = _best_line(stage)
        if best is not None:
            place = x(float(best["epoch"])), y(float(best["val_macro_ap"]))
            canvas.marker(*place, side == "hier", f"dot {side}", size=3)


def _grid(canvas: Canvas, scale: Scale, most: int) -> None:
    step = tick_step(scale.high - scale.low, most)
    for value in scale.ticks(most):
        canvas.line(_LEFT, scale(value), _WIDTH - _RIGHT, scale(value), "grid")
        canvas.text(_LEFT - 5, scale(value) + 3.5, tick_text(value, step), "tick", "end")


def _epochs(canvas: Canvas, x: Scale, last: int) -> None:
    for epoch in dict.fromkeys((1, last)):
        canvas.text(x(epoch), _LOWER[0] + 15, str(epoch), "tick", "middle" if epoch == 1 else "end")
    canvas.text((_LEFT + _WIDTH - _RIGHT) / 2, _LOWER[0] + 15, "epoch", "tick", "middle")


def _stages(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of each stage of training; those of the first name none."""
    return [list(stage) for _, stage in itertools.groupby(lines, lambda line: line.get("stage"))]


def _best_line(lines: Sequence[Line]) -> Line | None:
    scored = [line for line in lines if _number(line, "val_macro_ap") is not None]
    return max(scored, key=lambda line: float(line["val_macro_ap"])) if scored else None


def _best(recipe: str, network: str, series: Mapping[int, Sequence[Line]]) -> list[list[str]]:
    rows = []
    for seed, lines in series.items():
        stages = _stages(lines)
        best = _best_line(stages[-1]) if stages else None
        epoch, score = (str(best["epoch"]), decimal(_number(best, "val_macro_ap"))) if best else ("", decimal(None))
        rows.append([recipe, network, str(seed), str(len(lines)), epoch, score])
    return rows
