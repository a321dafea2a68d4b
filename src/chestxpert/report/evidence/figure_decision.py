"""Decision curves: what acting on a recipe's probabilities is worth, against acting on all images or on none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from chestxpert.report.evidence.stored import detailed, numbers, part
from chestxpert.report.figure import Figure, Key, Table, side_key
from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import UNDEFINED, domain, percent, signed, tick_text
from chestxpert.report.small_plot import UnitPlot

_BELOW = 0.25
"""How far below zero a plot reaches, as a share of its height above."""


def decision_figure(results: Results, labels: Sequence[str]) -> Figure | None:
    """Net benefit of the best of each side, a plot a label; None where the comparison has no decision curves."""
    stored = part(results.comparison, "operating", "net_benefit")
    names = detailed(results, part(stored, "recipes"))
    at = [value for value in numbers(stored.get("thresholds")) if value is not None]
    if not names or len(at) < 2:
        return None
    return Figure(
        anchor="fig-decision",
        title="What acting on it would be worth",
        caption=(
            "Decision curves (Vickers and Elkin 2006). Across: the probability from which on somebody would act, on a "
            "logarithmic scale; whoever acts from 10 % on takes a missed finding to cost nine times a false alarm. "
            "Upwards: findings caught for each image, false alarms paid for at that price. A recipe is of use where "
            "its line is above both the dashed one, acting on every image, and zero, acting on none. Test images, "
            "means over seeds. Where probabilities are too high or too low, the curve suffers: see the figure "
            "before."
        ),
        picture=Markup("").join(_plot(results, stored, label, names, at) for label in labels),
        tables=[_table(stored, name, labels, at) for name in names],
        keys=[
            *(side_key(results.side(name), name) for name in names),
            Key("reference", "dash", "acting on all"),
        ],
        grid=True,
    )


def _plot(results: Results, stored: Mapping[str, Any], label: str, names: Sequence[str], at: Sequence[float]) -> Markup:
    curves = {name: numbers(part(stored, "recipes", name, label, "model").get("mean")) for name in names}
    everybody = numbers(part(stored, "treat_all").get(label))
    known = [value for curve in curves.values() for value in curve if value is not None]
    title = finding_name(label)
    top = domain([0.0, *known, *everybody[:1]], floor=0.0)[1]
    plot = UnitPlot(
        title, f"up to {tick_text(top, top)}", "threshold", "net benefit",
        x=(math.log(at[0]), math.log(at[-1])), y=(-_BELOW * top, top),
        ends=(percent(at[0], 1), percent(at[-1], 0)), top="",
    )  # fmt: skip
    if not known:
        plot.words(0.73, 0.48, UNDEFINED, "plain")
        return plot.svg(f"{title}: {UNDEFINED}")
    across = [math.log(value) for value in at]
    plot.canvas.line(plot.x(across[0]), plot.y(0), plot.x(across[-1]), plot.y(0), "zero")
    plot.curve(_cut(across, everybody, -_BELOW * top), "reference")
    for name, curve in curves.items():
        with plot.canvas.about(name):
            plot.curve(_cut(across, curve, -_BELOW * top), f"strong {results.side(name)}")
    return plot.svg(f"{title}, net benefit: {_spoken(stored, label, names, at)}")


def _cut(across: Sequence[float], curve: Sequence[float | None], floor: float) -> list[tuple[float, float]]:
    """The curve as far as it stays above the floor, and to where it meets it."""
    points: list[tuple[float, float]] = []
    for x, value in zip(across, curve, strict=False):
        if value is None:
            continue
        if value < floor:
            if points:
                before, last = points[-1]
                share = (last - floor) / (last - value)
                points.append((before + share * (x - before), floor))
            break
        points.append((x, value))
    return points


def _useful(stored: Mapping[str, Any], label: str, name: str, at: Sequence[float]) -> list[float]:
    """Thresholds at which the recipe is shown to beat acting on all and on none."""
    lows = numbers(part(stored, "recipes", name, label, "lead").get("low"))
    return [t for t, low in zip(at, lows, strict=False) if low is not None and low > 0]


def _spoken(stored: Mapping[str, Any], label: str, names: Sequence[str], at: Sequence[float]) -> str:
    parts = []
    for name in names:
        useful = _useful(stored, label, name, at)
        words = f"of use from {percent(useful[0])} to {percent(useful[-1])}" if useful else "not shown to be of use"
        parts.append(f"{name} {words}")
    return "; ".join(parts)


def _table(stored: Mapping[str, Any], name: str, labels: Sequence[str], at: Sequence[float]) -> Table:
    """The lead over the better of acting on all and on none."""
    rows = []
    for label in labels:
        lead = part(stored, "recipes", name, label, "lead")
        means, lows = numbers(lead.get("mean")), numbers(lead.get("low"))
        cells = [
            signed(mean, 4) + (" *" if low is not None and low > 0 else "")
            for mean, low in zip(means, lows, strict=False)
        ]
        rows.append([finding_name(label), *cells])
    note = f"{name}: net benefit above the better of acting on all and on none; * its 95 % interval is above 0"
    return Table(["finding", *(percent(value) for value in at)], rows, note=note)
