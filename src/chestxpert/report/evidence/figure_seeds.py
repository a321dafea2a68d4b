"""Seeds and patients: how sure a recipe's figure is of other patients, and of other patients and other seeds."""

from __future__ import annotations

from collections.abc import Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.evidence.stored import number, part
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.results import Results, metric_name
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import Scale, decimal, domain
from chestxpert.report.shortcut import NAME, floor_at, floor_keys, floor_lines, floor_words
from chestxpert.report.stored_values import Estimate

_TABLE = ("macro_ap", "macro_auroc", "macro_f1")


def seeds_figure(results: Results) -> Figure | None:
    """Both intervals of every recipe on the primary metric; None where no recipe has several seeds."""
    names = [name for name in results.members if _over_seeds(results, name, results.primary).low is not None]
    if not names:
        return None
    rows = [Row(name, results.side(name), strong=name in results.best) for name in names]
    floor = results.floor(results.primary)
    seeds = max(len(results.seeds(name)) for name in names)
    return Figure(
        anchor="fig-seeds",
        title="Other patients, and other seeds",
        caption=(
            "A short line says how far the mean of these very networks would move with other patients; it is the "
            "interval of all other figures. The long one holds where networks trained from other seeds would come "
            "out as well, on other patients: it is about the recipe and not about its runs. With few seeds little is "
            f"known of that, so it is wide ({seeds} seeds here). Rings are the single seeds. Right: the standard "
            "deviation over patients of the mean, and that between seeds on these patients."
            + floor_words(floor)
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, [_intervals(results, names), _spread(results, names)], frame),
            _spoken(results, names), 28,
        ),
        tables=[_table(results, names, metric) for metric in dict.fromkeys((results.primary, *_TABLE))],
        keys=[
            Key("muted", "square", "patients, these seeds"), Key("muted", "dash", "patients and seeds"),
            Key("muted", "ring", "one seed"), Key("plain", "block", "patients"), Key("seeds", "block", "seeds"),
            *floor_keys(floor),
        ],
    )  # fmt: skip


def _metric(results: Results, name: str, metric: str) -> object:
    return part(results.recipe(name), "metrics", metric)


def _over_seeds(results: Results, name: str, metric: str) -> Estimate:
    entry = part(_metric(results, name, metric), "over_seeds")
    return Estimate(results.metric(name, metric).mean, number(entry, "low"), number(entry, "high"))


def _intervals(results: Results, names: Sequence[str]) -> Panel:
    metric = results.primary
    plain = {name: results.metric(name, metric) for name in names}
    both = {name: _over_seeds(results, name, metric) for name in names}
    near = [v for e in plain.values() for v in (e.mean, e.low, e.high)]
    known = [value for value in near if value is not None]
    room = (max(known) - min(known)) if known else 0.0
    # With two seeds an interval can be as wide as the axis; it goes on beyond it then, with an arrow.
    far = [
        min(max(value, min(known) - room), max(known) + room)
        for e in both.values() for value in (e.low, e.high) if value is not None
    ]  # fmt: skip
    low, high = domain([*near, *far, results.floor(metric)], floor=0.0, ceiling=1.0)

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        name = names[index]
        estimate, wide, side = plain[name], both[name], results.side(name)
        tip = f"{name}: {estimate.words()} over patients, {wide.words()} over patients and seeds"
        draw_interval(canvas, scale, (wide.low, wide.high), y, f"thin far {side}")
        draw_interval(canvas, scale, (estimate.low, estimate.high), y, f"near {side}")
        for value in results.per_seed(name, metric):
            canvas.circle(scale(value), y + 8, 2, f"ring {side}", tip=f"one seed: {decimal(value)}")
        if estimate.mean is not None:
            canvas.marker(scale(estimate.mean), y, results.hierarchical(name), f"dot {side}", tip=tip)

    return Panel(metric_name(metric), low, high, mark, room=8, weight=1.5, lines=floor_lines(results.floor(metric)))


def _spread(results: Results, names: Sequence[str]) -> Panel:
    """Two bars a row: over patients, and between seeds."""
    spreads = {
        name: (number(_metric(results, name, results.primary), "sd_patients"),
               number(_metric(results, name, results.primary), "sd_seeds"))
        for name in names
    }  # fmt: skip
    high = domain([0.0, *(value for pair in spreads.values() for value in pair)], floor=0.0)[1]

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        for value, kind, shift in zip(spreads[names[index]], ("plain", "seeds"), (-5, 5), strict=True):
            if value is not None:
                right = scale(value)
                canvas.rect(
                    scale(0), y + shift - 4, right - scale(0), 8, f"part {kind}", tip=f"{kind}: {decimal(value, 4)}"
                )
                canvas.text(right + 4, y + shift + 3.5, decimal(value, 4), "tick")

    return Panel("Standard deviation", 0.0, high, mark, room=42)


def _spoken(results: Results, names: Sequence[str]) -> str:
    parts = [f"{name} {_over_seeds(results, name, results.primary).words()}" for name in names]
    return f"{metric_name(results.primary)} with its interval over patients and seeds: {'; '.join(parts)}."


def _table(results: Results, names: Sequence[str], metric: str) -> Table:
    rows = []
    for name in names:
        entry = _metric(results, name, metric)
        wide = _over_seeds(results, name, metric)
        bca = part(entry, "bca")
        rows.append([
            name, str(len(results.seeds(name))), decimal(results.metric(name, metric).mean),
            _range(results.metric(name, metric)), _range(Estimate(wide.mean, number(bca, "low"), number(bca, "high"))),
            _range(wide), decimal(number(entry, "sd_patients"), 4), decimal(number(entry, "sd_seeds"), 4),
            ", ".join(map(decimal, results.per_seed(name, metric))),
        ])  # fmt: skip
    floor = floor_at(results, "metrics", metric)
    if floor.mean is not None:
        rows.append([NAME, "", decimal(floor.mean), _range(floor), *[""] * 5])
    head = [
        "recipe", "seeds", "mean", "over patients", "the same, BCa", "over patients and seeds", "SD over patients",
        "SD between seeds", "single seeds",
    ]  # fmt: skip
    return Table(head, rows, note=metric_name(metric))


def _range(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return decimal(None)
    return f"{decimal(estimate.low)} to {decimal(estimate.high)}"
