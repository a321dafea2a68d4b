"""Head, medium and tail: every recipe on the frequent and on the rare findings."""

from __future__ import annotations

from collections.abc import Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.evidence.stored import GROUP_WORDS, number, part
from chestxpert.report.figure import Figure, Key, Table, side_keys, two_widths
from chestxpert.report.figure_findings import METRIC_WORDS
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain, percent
from chestxpert.report.shortcut import NAME, floor_keys, floor_lines, floor_mean, floor_words, stored_floor
from chestxpert.report.stored_values import Estimate

_METRIC = "ap"


def groups_figure(results: Results) -> Figure | None:
    """Mean average precision of each frequency group, a row a recipe; None where the comparison has no groups."""
    groups = part(results.comparison, "groups")
    members = {group: list(names) for group, names in part(groups, "findings").items() if names}
    names = [name for name in results.members if name in part(groups, "recipes")]
    if not members or not names:
        return None
    rows = [Row(name, results.side(name), strong=name in results.best) for name in names]
    floors = {group: floor_mean(results, found, _METRIC) for group, found in members.items()}
    panels = [
        _panel(results, group, found, names, (number(groups, "prevalence", group), floors[group]))
        for group, found in members.items()
    ]
    return Figure(
        anchor="fig-groups",
        title="Head, medium and tail",
        caption=(
            f"{_members_words(results)} Marks are the mean average precision over a group's findings on test, with "
            "95 % intervals over patients. The upright line is what guessing reaches, the mean share of positives: "
            "a group's height says how frequent it is, so compare within a panel."
            + (" Tinted rows are the best of each side, chosen on validation." if results.best else "")
            + floor_words(*floors.values())
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), _spoken(results, members, names), 26),
        tables=[_table(results, members, names, metric) for metric in METRIC_WORDS],
        keys=[
            *(key for key in side_keys(results) if any(key.kind == results.side(name) for name in names)),
            Key("guess", "bar", "guessing"), *floor_keys(*floors.values()),
        ],
    )  # fmt: skip


def _members_words(results: Results) -> str:
    groups = part(results.comparison, "groups")
    cuts = part(groups, "cuts")
    words = {
        "head": f"more than {percent(number(cuts, 'head_above'), 0)}",
        "tail": f"less than {percent(number(cuts, 'tail_below'), 0)}",
        "medium": f"{percent(number(cuts, 'tail_below'), 0)} to {percent(number(cuts, 'head_above'), 0)}",
    }
    sentences = []
    for group, names in part(groups, "findings").items():
        found = ", ".join(map(finding_name, names)) or "none"
        sentences.append(f"{GROUP_WORDS.get(group, group)} ({words.get(group, '')} of the training images): {found}.")
    return " ".join(sentences)


def _of(results: Results, name: str, group: str, metric: str) -> Estimate:
    return Estimate.of(part(results.comparison, "groups", "recipes", name, group).get(metric))


def _panel(
    results: Results,
    group: str,
    found: Sequence[str],
    names: Sequence[str],
    held: tuple[float | None, float | None],
) -> Panel:
    """One group; `held` is what guessing and what the shortcut floor reach."""
    guess, floor = held
    estimates = {name: _of(results, name, group, _METRIC) for name in names}
    ends = [value for e in estimates.values() for value in (e.mean, e.high)]
    low, high = domain([0.0, guess, floor, *ends], floor=0.0, ceiling=1.0)

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        name = names[index]
        estimate, side = estimates[name], results.side(name)
        if estimate.mean is None:
            canvas.text(scale(low), y + 4, UNDEFINED, "tick")
            return
        draw_interval(canvas, scale, (estimate.low, estimate.high), y, side)
        tip = f"{name}, {group}: average precision {estimate.words()}"
        canvas.marker(scale(estimate.mean), y, results.hierarchical(name), f"dot {side}", tip=tip)
        edge = max(scale(estimate.mean) + 5, scale(estimate.high if estimate.high is not None else estimate.mean))
        banded = f" banded {side}" if name in results.best else ""
        canvas.text(edge + 6, y + 4, decimal(estimate.mean), f"value above{banded}")

    title = f"{GROUP_WORDS.get(group, group)}: {len(found)} finding{'s' if len(found) > 1 else ''}"
    lines = [] if guess is None else [(guess, "guess")]
    return Panel(title, low, high, mark, room=36, lines=[*lines, *floor_lines(floor)])


def _spoken(results: Results, members: dict[str, list[str]], names: Sequence[str]) -> str:
    parts = [
        f"{name} " + ", ".join(f"{group} {decimal(_of(results, name, group, _METRIC).mean)}" for group in members)
        for name in names
    ]
    return f"Mean average precision by frequency group: {'; '.join(parts)}."


def _table(results: Results, members: dict[str, list[str]], names: Sequence[str], metric: str) -> Table:
    rows = [[name, *(_of(results, name, group, metric).words() for group in members)] for name in names]
    if stored_floor(results):
        rows.append([NAME, *(decimal(floor_mean(results, found, metric)) for found in members.values())])
    head = [f"{GROUP_WORDS.get(group, group).lower()} ({len(found)})" for group, found in members.items()]
    return Table(["recipe", *head], rows, note=f"{METRIC_WORDS[metric]}, mean over a group's findings")
