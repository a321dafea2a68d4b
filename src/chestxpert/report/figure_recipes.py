"""The figure of the answer: every recipe, flat and hierarchical, on the main metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.external import coverage_words, dagger_of, is_partial
from chestxpert.report.figure import Figure, Key, Table, side_keys, two_widths
from chestxpert.report.results import METRICS, Results, metric_name
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain
from chestxpert.report.shortcut import NAME, floor_at, floor_keys, floor_lines, stored_floor

_FLOOR = (
    " The dotted line is the shortcut floor: what a logistic regression on the table of patients reaches without a "
    "look at any image (beneath, on what). Only what lies above it speaks of images."
)


_NEXT = (
    " Intervals of two recipes may overlap although their difference is clear, since both are measured on the same "
    "patients: for differences, read the next figure."
)
_TINTED = " Tinted rows are the best flat and the best hierarchical recipe, chosen on validation."


def _shown(results: Results) -> list[str]:
    """The metric that decides, then the other main ones."""
    return list(dict.fromkeys([results.primary, "macro_ap", "macro_auroc", "macro_f1"]))


def recipes_figure(results: Results) -> Figure:
    """Flat against hierarchical: mean, interval and single seeds of every recipe on three metrics."""
    rows, names = _recipe_rows(results)
    metrics = _shown(results)
    panels = [metric_panel(results, metric, rows, names, results.floor(metric)) for metric in metrics]
    names = [name for name in names if name]
    name = "Every recipe with its 95 % interval: " + "; ".join(
        f"{recipe} {metric_name(metrics[0])} {results.metric(recipe, metrics[0]).words()}" for recipe in names
    )
    keys = [*side_keys(results), Key("reference", "dash", f"mean of {results.baseline}")]
    if any(results.per_seed(name, metrics[0]) for name in names):
        keys.insert(-1, Key("muted", "ring", "one seed"))
    floor = floor_keys(*(results.floor(metric) for metric in metrics))
    return Figure(
        anchor="fig-recipes",
        title="Flat against hierarchical" if results.recipes else "What other tools predicted",
        caption=(
            f"Each mark is {'a recipe' if results.recipes else 'a tool'}'s mean over its seeds on the test split, its "
            "line the 95 % interval over patients. Further right is better."
            + (_NEXT if results.contrasts else "")
            + (_TINTED if results.best else "")
            + _partial(results)
            + (_FLOOR if floor else "")
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), name, 30),
        tables=[metrics_table(results), *_single_seeds(results, metrics)],
        keys=[*keys, *floor],
    )


def _recipe_rows(results: Results) -> tuple[list[Row], list[str]]:
    """Rows with a heading a side, and the recipe of each row ('' for a heading)."""
    rows: list[Row] = []
    names: list[str] = []
    for side, heading in (("flat", "Flat"), ("hier", "Hierarchical")):
        members = [name for name in results.recipes if results.side(name) == side]
        if members:
            rows.append(Row(heading, side, heading=True))
            names.append("")
        for name in members:
            rows.append(Row(name, side, strong=name in results.best))
            names.append(name)
    if results.externals:
        rows.append(Row("Other tools", heading=True))
        names.append("")
    for name in results.externals:
        rows.append(Row(name + dagger_of(results, name), results.side(name), about=(name,)))
        names.append(name)
    return rows, names


def _partial(results: Results) -> str:
    """Which lines were measured on less than the others, and so are not to be held beside them."""
    found = [
        f"{name} on {coverage_words(coverage)}"
        for name in results.externals
        if is_partial(coverage := results.external(name).get("coverage", {}))
    ]
    if not found:
        return ""
    return (
        f" \N{DAGGER}: measured on less than the others ({'; '.join(found)}), so its place beside them says little"
        + ("; the next figure compares on what both predict." if results.contrasts else ".")
    )


def metric_panel(
    results: Results, metric: str, rows: Sequence[Row], names: Sequence[str], floor: float | None = None
) -> Panel:
    """One metric of each row's line, with its interval and single seeds; `names` is '' for a heading.

    `floor` is a value with a dotted line across all rows.
    """
    estimates = {name: results.metric(name, metric) for name in names if name}
    points = [value for name in estimates for value in results.per_seed(name, metric)]
    ends = [value for e in estimates.values() for value in (e.mean, e.low, e.high)]
    low, high = domain([*ends, *points, floor], floor=0.0, ceiling=1.0)

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        name = names[index]
        estimate, side = estimates[name], results.side(name)
        if estimate.mean is None:
            canvas.text(scale(low), y + 4, UNDEFINED, "tick")
            return
        draw_interval(canvas, scale, (estimate.low, estimate.high), y, side)
        for value in results.per_seed(name, metric):
            canvas.circle(scale(value), y + 8, 2, f"ring {side}", tip=f"one seed: {decimal(value)}")
        tip = f"{name}: {metric_name(metric)} {estimate.words()}"
        canvas.marker(scale(estimate.mean), y, results.hierarchical(name), f"dot {side}", tip=tip)
        edge = max(scale(estimate.mean) + 5, scale(estimate.high if estimate.high is not None else estimate.mean))
        canvas.text(
            edge + 6, y + 4, decimal(estimate.mean), "value above" + (f" banded {side}" if rows[index].strong else "")
        )

    reference = results.metric(results.baseline, metric).mean if results.baseline in names else None
    title = metric_name(metric).removesuffix(" (less is better)")  # a panel is narrow; captions say so
    return Panel(title, low, high, mark, reference=reference, room=36, lines=floor_lines(floor))


def _single_seeds(results: Results, metrics: Sequence[str]) -> list[Table]:
    """What each seed reached, in the order of the seeds; none where every recipe has but one."""
    rows = [
        [name, *(", ".join(map(decimal, results.per_seed(name, metric))) for metric in metrics)]
        for name in results.members
        if results.per_seed(name, metrics[0])
    ]
    head = ["recipe", *map(metric_name, metrics)]
    return [Table(head, rows, note="Single seeds")] if rows else []


def metrics_table(results: Results, metrics: Iterable[str] = METRICS) -> Table:
    """Metrics of every recipe, of what was made of it, and of the floor, with its interval."""
    shown = results.everything
    known = [m for m in metrics if any(results.metric(name, m).mean is not None for name in shown)]
    rows = [[name, results.runs_words(name), *(results.metric(name, m).words() for m in known)] for name in shown]
    if stored_floor(results):
        rows.append([NAME, "", *(floor_at(results, "metrics", m).words() for m in known)])
    return Table(["recipe", "runs", *(metric_name(m) for m in known)], rows, words=2)
