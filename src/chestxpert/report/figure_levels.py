"""Level by level: how well each depth of the tree is told, by every recipe, flat ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import Figure, Key, Table, side_key, two_widths
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain, grouped
from chestxpert.report.shortcut import NAME, draw_floor, floor_at, floor_keys, floor_words
from chestxpert.report.stored_values import Estimate

_METRICS = {"auroc": "AUROC", "ap": "Average precision"}
_HIERARCHICAL = ("precision", "recall", "f1")


@dataclass(frozen=True)
class _Place:
    """A level (`node` is empty) or one inner node on it, with the share of images in which it holds."""

    level: str
    node: str
    words: str
    note: str
    guess: float | None


def levels_figure(results: Results) -> Figure | None:
    """Means of each level and each inner node: the best of each side with intervals, all other recipes as rings.

    Returns
    -------
    Figure, or None where the comparison has no levels.
    """
    recorded = [name for name in results.members if _levels(results, name)]
    if not recorded:
        return None
    places = _places(results, recorded[0])
    best = [name for name in results.drawn if name in recorded]
    rows = [Row(place.words, note=place.note, kind="muted", strong=not place.node) for place in places]
    panels = [_panel(results, metric, places, recorded, best) for metric in _METRICS]
    floors = [_floor(results, place, metric).mean for place in places for metric in _METRICS]
    tree = results.comparison.get("taxonomy", "study")
    return Figure(
        anchor="fig-levels",
        title=f"Level by level down the tree {tree}",
        caption=(
            "Is there a finding at all, of which kind, and which one: tinted rows are means over all nodes of a "
            "level, findings included, the rows beneath them the inner nodes there. Every recipe is measured on the "
            "same tree, whatever it was trained along; a flat one by the probability that any finding below a node "
            f"is there. {_whose(results)} The short upright line is what "
            "guessing reaches: AUROC 0.5, and the share of the test images in which a node holds. Deeper levels hold "
            "rarer nodes, so average precision falls down the tree for every recipe: compare within a row."
            + floor_words(*floors)
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame, note_title="test n"), _spoken(results, places, best), 32
        ),
        tables=[
            *(_table(results, metric, places, recorded) for metric in _METRICS),
            *_hierarchical_table(results, recorded),
        ],
        keys=[
            *(side_key(results.side(name), name) for name in best),
            Key("muted", "ring", "another recipe"), Key("reference", "bar", "guessing"),
            *floor_keys(*floors),
        ],
    )  # fmt: skip


def _levels(results: Results, name: str) -> Mapping[str, Any]:
    found = results.recipe(name).get("levels")
    return found if isinstance(found, Mapping) and found.get("means") else {}


def _places(results: Results, name: str) -> list[_Place]:
    levels = _levels(results, name)
    places = []
    for level, means in levels["means"].items():
        inner = {node: entry for node, entry in levels["inner"].items() if str(entry["level"]) == level}
        if means["n_nodes"] == 1 and inner:
            node, entry = next(iter(inner.items()))
            words, note = f"Level {level}: {finding_name(node)}", grouped(entry["n_positive"])
            places.append(_Place(level, "", words, note, _share(results, entry)))
            continue
        words = f"Level {level}: mean"
        places.append(_Place(level, "", words, f"{means['n_nodes']} nodes", _mean_share(results, name, level)))
        places += [
            _Place(level, node, finding_name(node), grouped(entry["n_positive"]), _share(results, entry))
            for node, entry in inner.items()
        ]
    return places


def _share(results: Results, entry: Mapping[str, Any]) -> float | None:
    images = entry.get("n_known", results.comparison["cohort"].get("images", {}).get("test"))
    return entry["n_positive"] / images if images else None


def _mean_share(results: Results, name: str, level: str) -> float | None:
    """What guessing reaches in the mean of a level, over the nodes that can be found; None where it is not recorded."""
    entries = {**results.recipe(name).get("per_label", {}), **_levels(results, name)["inner"]}
    nodes = [entries[node] for node in _levels(results, name)["means"][level].get("nodes", ())]
    shares = [share for entry in nodes if entry["n_positive"] and (share := _share(results, entry)) is not None]
    return sum(shares) / len(shares) if shares else None


def _estimate(results: Results, name: str, place: _Place, metric: str) -> Estimate:
    levels = _levels(results, name)
    part = levels["inner"].get(place.node) if place.node else levels["means"].get(place.level)
    return Estimate.of((part or {}).get(metric))


def _floor(results: Results, place: _Place, metric: str) -> Estimate:
    where = ("inner", place.node) if place.node else ("means", place.level)
    return floor_at(results, "levels", *where, metric)


def _panel(
    results: Results, metric: str, places: Sequence[_Place], recorded: Sequence[str], best: Sequence[str]
) -> Panel:
    estimates = {(name, place): _estimate(results, name, place, metric) for name in recorded for place in places}
    ends = [e.mean for e in estimates.values()] + [_floor(results, place, metric).mean for place in places]
    ends += [end for (name, _), e in estimates.items() if name in best for end in (e.low, e.high)]
    if metric == "auroc":
        low, high = domain([0.5, *ends], floor=0.0, ceiling=1.0)
    else:
        low, high = 0.0, domain([0.0, *ends], floor=0.0, ceiling=1.0)[1]

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        place = places[index]
        if all(estimates[name, place].mean is None for name in recorded):
            canvas.text(scale(low) + 6, y + 4, UNDEFINED, "tick")
            return
        guess = 0.5 if metric == "auroc" else place.guess
        if guess is not None:
            canvas.line(scale(guess), y - 11, scale(guess), y + 11, "guess")
        draw_floor(canvas, scale, _floor(results, place, metric).mean, y, 11)
        for name in (*(name for name in recorded if name not in best), *best):
            estimate, side = estimates[name, place], results.side(name)
            if estimate.mean is None:
                continue
            middle, tip = y + _shift(results, name), f"{place.words}, {name}: {estimate.words()}"
            if name in best:
                draw_interval(canvas, scale, (estimate.low, estimate.high), middle, f"thin {side}")
                canvas.marker(
                    scale(estimate.mean), middle, results.hierarchical(name), f"dot {side}", size=3.6, tip=tip
                )
            else:
                canvas.circle(scale(estimate.mean), middle, 2.2, f"ring {side}", tip=tip)

    return Panel(_METRICS[metric], low, high, mark)


def _whose(results: Results) -> str:
    """Whose marks stand where."""
    others = [name for name in results.externals if name not in results.drawn]
    if not results.recipes:
        return f"Lines are 95 % intervals{'; rings are further tools' if others else ''}."
    return (
        "The best recipe of each side, chosen on validation, has its 95 % interval; rings are the other recipes, flat "
        f"ones above, hierarchical ones below{', what other tools predicted between' if results.externals else ''}."
    )


def _shift(results: Results, name: str) -> float:
    """How far below its row's middle a mark stands: flat recipes above, hierarchical below, other tools between."""
    if name in results.externals:
        place = results.externals.index(name) - (len(results.externals) - 1) / 2
        return place * (2 if results.recipes else 6)
    return 5 if results.hierarchical(name) else -5


def _spoken(results: Results, places: Sequence[_Place], best: Sequence[str]) -> str:
    parts = [
        f"{place.words} " + " and ".join(f"{decimal(_estimate(results, n, place, 'ap').mean, 2)} ({n})" for n in best)
        for place in places
    ]
    return f"Average precision by level: {'; '.join(parts)}."


def _table(results: Results, metric: str, places: Sequence[_Place], recorded: Sequence[str]) -> Table:
    floors = any(_floor(results, place, metric).mean is not None for place in places)
    rows = [
        [
            place.words, place.note, *([_floor(results, place, metric).words()] if floors else []),
            *(_estimate(results, name, place, metric).words() for name in recorded),
        ]
        for place in places
    ]  # fmt: skip
    return Table(
        ["level or node", "nodes or test n", *([NAME] if floors else []), *recorded], rows, note=_METRICS[metric]
    )


def _hierarchical_table(results: Results, recorded: Sequence[str]) -> list[Table]:
    """Hierarchical precision, recall and F1 of each level; none where a comparison lacks them."""
    rows = [
        [name, level, *(Estimate.of(scores.get(key)).words() for key in _HIERARCHICAL)]
        for name in recorded
        for level, scores in _levels(results, name).get("hierarchical", {}).items()
    ]
    if not rows:
        return []
    head = ["recipe", "level", *(f"hierarchical {key.replace('f1', 'F1')}" for key in _HIERARCHICAL)]
    return [Table(head, rows, words=2, note="Decisions at thresholds from validation, with all nodes above them")]
