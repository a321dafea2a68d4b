"""Forest plot of the contrasts between recipes."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from chestxpert.report.canvas import Canvas
from chestxpert.report.contrast_tables import contrast_tables
from chestxpert.report.external import dagger_on, shared_words
from chestxpert.report.figure import Figure, Key, two_widths
from chestxpert.report.results import METRICS, Results, metric_name
from chestxpert.report.rows import Frame, Mark, Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import MINUS, UNDEFINED, Scale, domain, p_value, signed, tick_text
from chestxpert.report.stored_values import Contrast

_NUMBERS = 262.0
_ON_ONE_SHEET = 36
SHOWN_KEYS = (Key("clear", "square", "difference shown"), Key("unclear", "square", "no difference shown"))


def contrasts_figure(results: Results) -> Figure:
    """Forest plot of the contrasts, a block a metric; the best of each side against each other is tinted."""
    ordered = by_metric(results, results.contrasts)
    return Figure(
        anchor="fig-contrasts",
        title="Which differences can be told from chance",
        caption=(
            "Each row is the first recipe minus the second, on the same test patients, with its 95 % interval "
            "from paired bootstrap draws. Right of the line the first recipe is better. Filled: the interval "
            "leaves zero out and p, after Holm's correction, is below 0.05. Hollow: no difference shown, which "
            "is not the same as none."
            + (
                " The tinted row sets the best hierarchical against the best flat recipe, both chosen on validation."
                if results.decisive
                else ""
            )
            + shared_words(results)
        ),
        picture=forest(results, ordered, ("second better", "first better")),
        tables=contrast_tables(ordered, results.comparison.get("margin")),
        keys=SHOWN_KEYS,
    )


def by_metric(results: Results, contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts in the order of their metrics, the primary one first."""
    order = {metric: place for place, metric in enumerate(METRICS)} | {results.primary: -1}
    return sorted(contrasts, key=lambda c: order.get(c.metric, len(order)))


def forest(results: Results, ordered: Sequence[Contrast], sides: tuple[str, str]) -> Markup:
    """Forest plot, a block a metric; `sides` is what lies left and right of no difference."""
    ends = domain([0.0, *(value for c in ordered for value in (c.difference, c.low, c.high))])
    metrics = dict.fromkeys(contrast.metric for contrast in ordered)
    # A drawing that is longer than a sheet of paper would be cut there: a metric a drawing, on one scale.
    parted = len(ordered) > _ON_ONE_SHEET and len(metrics) > 1
    blocks = [[c for c in ordered if c.metric == metric] for metric in metrics] if parted else [list(ordered)]
    return Markup("").join(_forest(results, block, sides, ends) for block in blocks)


def _forest(results: Results, ordered: Sequence[Contrast], sides: tuple[str, str], ends: tuple[float, float]) -> Markup:
    rows, contrasts = _rows(ordered)

    def draw(frame: Frame) -> Canvas:
        panel = Panel(
            "", *ends, _mark(results, contrasts, frame), reference=0.0,
            room=44 if frame.stacked else _NUMBERS, tick_words=_signed_tick,
            sides=sides,
        )  # fmt: skip
        canvas = draw_rows(rows, [panel], frame)
        if not frame.stacked:
            canvas.text(frame.width - 64, 13, "difference [95 % interval]", "tick", "end")
            canvas.text(frame.width, 13, "p, Holm", "tick", "end")
        return canvas

    return two_widths(draw, _spoken(ordered), 26, 44, above=True)


def _rows(ordered: Sequence[Contrast]) -> tuple[list[Row], list[Contrast | None]]:
    rows: list[Row] = []
    contrasts: list[Contrast | None] = []
    metric = ""
    for contrast in ordered:
        if contrast.metric != metric:
            metric = contrast.metric
            rows.append(Row(metric_name(metric), heading=True))
            contrasts.append(None)
        # A corrected line has its recipe's name in its own.
        label = contrast.a if contrast.kind == "posthoc" else f"{contrast.a} {MINUS} {contrast.b}{dagger_on(contrast)}"
        rows.append(Row(label, strong=contrast.kind == "best", about=(contrast.a, contrast.b)))
        contrasts.append(contrast)
    return rows, contrasts


def _mark(results: Results, contrasts: Sequence[Contrast | None], frame: Frame) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        contrast = contrasts[index]
        if contrast is None:
            return
        if contrast.difference is None:
            canvas.text(scale(0), y + 4, UNDEFINED, "tick")
            return
        state = "clear" if contrast.clear else "unclear"
        draw_interval(canvas, scale, (contrast.low, contrast.high), y, state)
        x = scale(contrast.difference)
        tip = f"{contrast.a} against {contrast.b}: {_words(contrast)}, p {p_value(contrast.p_adjusted)}"
        canvas.rect(x - 4, y - 4, 8, 8, f"square {state}", tip=tip)
        if frame.stacked:
            canvas.text(frame.width, y + 4, signed(contrast.difference), "value", "end")
            return
        canvas.text(frame.width - 64, y + 4, _words(contrast), "value", "end")
        canvas.text(frame.width, y + 4, p_value(contrast.p_adjusted), "value", "end")

    return mark


def _words(contrast: Contrast) -> str:
    if contrast.low is None or contrast.high is None:
        return signed(contrast.difference)
    return f"{signed(contrast.difference)} [{signed(contrast.low)}, {signed(contrast.high)}]"


def _signed_tick(value: float, step: float) -> str:
    text = tick_text(value, step)
    return "0" if abs(value) < step / 1000 else text if value < 0 else f"+{text}"


def _spoken(contrasts: Sequence[Contrast]) -> str:
    shown = [f"{c.a} against {c.b} on {metric_name(c.metric)} {_words(c)}" for c in contrasts if c.clear]
    return f"{len(contrasts)} contrasts; difference shown for: {'; '.join(shown) if shown else 'none'}."
