"""Can a probability be taken at its word: how often findings are there among images that were given so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from chestxpert.report.evidence.stored import detailed, number, numbers, part
from chestxpert.report.figure import Figure, Key, Table, side_key
from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import UNDEFINED, decimal, domain, grouped, tick_text
from chestxpert.report.small_plot import UnitPlot
from chestxpert.report.stored_values import Estimate

_COLUMNS = {"ece": "calibration error", "ece_if_perfect": "if perfect", "brier": "Brier score"}
_FITTED = {"slope": "slope", "intercept": "intercept", "in_the_large": "intercept at slope 1"}

_AFTER = " Hollow, dashed, and right of the arrow: after calibration on validation."


@dataclass(frozen=True)
class _Shown:
    """A line of the plots: whose, whether it was calibrated after training, and its first seed's bins by label."""

    name: str
    side: str
    hierarchical: bool
    after: bool
    bins: Mapping[str, Any]


def reliability_figure(results: Results, labels: Sequence[str]) -> Figure | None:
    """Reliability of the best recipe of each side, before and after calibration; None where it is not recorded.

    Parameters
    ----------
    results : Results
    labels : sequence of str
        In the order shown.
    """
    calibration = part(results.comparison, "calibration")
    shown = _shown(results, part(calibration, "reliability"))
    if not shown:
        return None
    return Figure(
        anchor="fig-reliability",
        title="Said and seen",
        caption=(
            "Test images in ten bins of equally many, by the probability they were given: across what was said, "
            "upwards how often the finding is there, with 95 % intervals. On the dashed diagonal probabilities can be "
            "taken at their word; below it, findings are rarer than was said. Each plot has its own axes, since "
            "probabilities of rare findings crowd near 0. One seed is drawn, as bins of several have no mean. The "
            "numbers are the calibration error, a mean over seeds; it is never 0, and the tables say what perfect "
            "probabilities would reach." + (_AFTER if any(line.after for line in shown) else "")
        ),
        picture=Markup("").join(_plot(results, label, shown) for label in labels),
        tables=[_recipes_table(results), *(_labels_table(results, line.name, labels) for line in shown),
                *(_bins_table(line, labels) for line in shown)],
        keys=[_key(line) for line in shown],
        grid=True,
    )  # fmt: skip


def _shown(results: Results, reliability: Mapping[str, Any]) -> list[_Shown]:
    lines = []
    for name in detailed(results, reliability):
        after = [other for other in reliability if part(results.recipe(other), "derived").get("of") == [name]]
        after.sort(key=lambda other: not other.endswith("+platt"))
        for line in [name, *after[:1]]:
            bins = part(reliability, line, "per_label")
            lines.append(_Shown(line, results.side(name), results.hierarchical(name), line != name, bins))
    return lines


def _key(line: _Shown) -> Key:
    if line.after:
        return Key(line.side, "dash", line.name)
    return side_key(line.side, line.name)


def _plot(results: Results, label: str, shown: Sequence[_Shown]) -> Markup:
    bins = {line.name: _bins(line, label) for line in shown}
    ends = [value for rows in bins.values() for said, seen, _, high, _ in rows for value in (said, seen, min(high, 1))]
    title = finding_name(label)
    top = domain([0.0, *ends], floor=0.0, ceiling=1.0)[1] if ends else 1.0
    note = _note(results, label)
    words = tick_text(top, top)
    plot = UnitPlot(title, note, "said", "seen", x=(0, top), y=(0, top), ends=("0", words), top=words)
    if not ends:
        plot.words(0.73, 0.48, UNDEFINED, "plain")
        return plot.svg(f"{title}: {UNDEFINED}")
    plot.curve([(0, 0), (top, top)], "reference")
    for line in shown:
        with plot.canvas.about(line.name):
            _draw(plot, line, bins[line.name], title)
    _errors(plot, results, label, shown)
    return plot.svg(_spoken(title, bins))


def _errors(plot: UnitPlot, results: Results, label: str, shown: Sequence[_Shown]) -> None:
    """The calibration error of each recipe in the lower right corner, and an arrow to the one after calibration."""
    stored = part(results.comparison, "calibration", "recipes")
    sides = [line for line in shown if not line.after]
    for place, line in enumerate(sides):
        same = [other for other in shown if other.side == line.side]  # itself, then what was made of it
        errors = [decimal(number(stored, other.name, "per_label", label, "ece", "mean")) for other in same]
        with plot.canvas.about(line.name):
            words = " \N{RIGHTWARDS ARROW} ".join(errors)
            plot.words(0.97, 0.05 + 0.12 * (len(sides) - 1 - place), words, line.side)


Bin = tuple[float, float, float, float, str]
"""Said, seen, low and high end of the latter, and words."""


def _bins(line: _Shown, label: str) -> list[Bin]:
    stored = part(line.bins, label)
    columns = [numbers(stored.get(key)) for key in ("mean_prob", "share", "low", "high", "n")]
    found: list[Bin] = []
    for said, seen, low, high, n in zip(*columns, strict=False):
        if said is not None and seen is not None and n:
            ends = (seen if low is None else low, seen if high is None else high)
            found.append((said, seen, *ends, f"of {grouped(n)} images given {decimal(said)}: {decimal(seen)}"))
    return found


def _bins_table(line: _Shown, labels: Sequence[str]) -> Table:
    """What is drawn: the bins of each label, from the lowest probabilities to the highest."""
    found = {label: _bins(line, label) for label in labels}
    most = max(map(len, found.values()))
    rows = [
        [finding_name(label), *(words for *_, words in bins), *[""] * (most - len(bins))]
        for label, bins in found.items()
    ]
    head = ["finding", *(f"bin {number_ + 1}" for number_ in range(most))]
    return Table(head, rows, note=f"{line.name}, first seed, bin by bin")


def _draw(plot: UnitPlot, line: _Shown, bins: Sequence[Bin], title: str) -> None:
    plot.curve([(said, seen) for said, seen, *_ in bins], f"{'dashed ' if line.after else ''}{line.side}")
    for said, seen, low, high, words in bins:
        x, tip = plot.x(said), f"{title}, {line.name}: {words}"
        if line.after:
            plot.canvas.circle(x, plot.y(seen), 2, f"ring {line.side}", tip=tip)
            continue
        plot.canvas.line(x, plot.y(low), x, plot.y(high), f"interval thin {line.side}")
        plot.canvas.marker(x, plot.y(seen), line.hierarchical, f"dot {line.side}", size=2.2, tip=tip)


def _note(results: Results, label: str) -> str:
    entry = part(results.recipe(results.members[0]), "per_label", label)
    count = number(entry, "n_positive")
    return "" if count is None else f"{grouped(count)} test images"


def _spoken(title: str, bins: Mapping[str, Sequence[Bin]]) -> str:
    parts = []
    for name, rows in bins.items():
        if rows:
            parts.append(f"{name} said {decimal(rows[-1][0])} where {decimal(rows[-1][1])} had it")
    return f"{title}, reliability in the highest bin: {'; '.join(parts)}"


def _recipes_table(results: Results) -> Table:
    """Every recipe, and whatever was calibrated after training, as means and medians over labels."""
    recipes = part(results.comparison, "calibration", "recipes")
    rows = []
    for name, values in recipes.items():
        means = [Estimate.of(part(values, "macro").get(key)).words() for key in _COLUMNS]
        rows.append([name, *means, *(decimal(number(values, "median", key), 2) for key in _FITTED)])
    head = ["recipe", *_COLUMNS.values(), *(f"{words}, median" for words in _FITTED.values())]
    return Table(head, rows, note="Means and medians over labels; perfect are slope 1 and intercepts 0")


def _labels_table(results: Results, name: str, labels: Sequence[str]) -> Table:
    stored = part(results.comparison, "calibration", "recipes", name, "per_label")
    rows = []
    for label in labels:
        entry = part(stored, label)
        errors = [Estimate.of(entry.get(key)).words() for key in _COLUMNS]
        rows.append([finding_name(label), *errors, *(Estimate.of(entry.get(key)).words(2) for key in _FITTED)])
    return Table(["finding", *_COLUMNS.values(), *_FITTED.values()], rows, note=name)
