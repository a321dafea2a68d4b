"""Who it works for: the best of each side by sex, age, view and whatever else the test images were parted by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.report.canvas import Canvas
from chestxpert.report.evidence.stored import detailed, number, part
from chestxpert.report.external import whom
from chestxpert.report.figure import Figure, Key, Table, side_key, two_widths
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Mark, Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import Scale, decimal, domain, grouped, signed
from chestxpert.report.shortcut import NAME, draw_floor, floor_at, floor_keys, floor_words
from chestxpert.report.stored_values import Estimate

_WORDS = {"sex": "Sex", "age": "Age", "view": "View", "images": "Test images of the patient"}
_GAP_WORDS = {"sensitivity": "sensitivity", "specificity": "specificity", "auroc": "AUROC"}
_METRIC_WORDS = {"auroc": "AUROC", "ap": "AP", "f1": "F1", "sensitivity": "sensitivity", "specificity": "specificity"}


@dataclass(frozen=True)
class _Place:
    """One subgroup of one partition; an empty `group` is the partition's heading."""

    by: str
    group: str


def subgroups_figure(results: Results, findings: Sequence[str]) -> Figure | None:
    """AUROC of each subgroup and its gap in sensitivity; None where the comparison has no subgroups.

    Parameters
    ----------
    results : Results
    findings : sequence of str
        In the order of the table of gaps.
    """
    stored = part(results.comparison, "subgroups")
    recipes = part(stored, "recipes")
    names = detailed(results, recipes)
    if not names:
        return None
    rows, places = _rows(part(recipes, names[0]))
    floors = [_floor(results, place).mean for place in places]
    panels = [
        Panel(
            "Mean AUROC", *_ends(recipes, names, places, _level, 0.5, floors),
            _mark(results, recipes, names, places, _level, floors),
        ),
        Panel(
            "Sensitivity: difference", *_ends(recipes, names, places, _gap, 0.0),
            _mark(results, recipes, names, places, _gap), reference=0.0, sides=("found less", "found more"),
            tick_words=lambda value, step: signed(value, 2),
        ),
    ]  # fmt: skip
    return Figure(
        anchor="fig-subgroups",
        title="Who it works for",
        caption=_caption(stored, recipes, names, whom(results)) + floor_words(*floors),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame, note_title="test images"),
            _spoken(recipes, names, places),
            max(28, 6 + 11 * len(names)),
        ),
        tables=[
            *(_table(recipes, name, places) for name in names),
            *_floor_table(results, places),
            *(_gaps_table(recipes, name, findings) for name in names),
        ],
        keys=[
            *(side_key(results.side(name), name) for name in names),
            Key("muted", "ring", "the group that others are held against"),
            *floor_keys(*floors),
        ],
    )


def _caption(stored: Mapping[str, Any], recipes: Mapping[str, Any], names: Sequence[str], whom: str) -> str:
    fewest = number(stored, "fewest_patients")
    unknown = [
        f"{by} of {grouped(number(own, 'unknown') or 0)}" for by, own in part(recipes, names[0]).items()
        if number(own, "unknown")
    ]  # fmt: skip
    return (
        f"Test images by group, {whom}, at the thresholds of all images: nobody has one of "
        "their own. Left, the mean AUROC over those findings that every group of the block can measure, so compare "
        "within a block. Right, equal opportunity: of patients who have a finding, how many more or fewer are found "
        "than in the largest group (hollow). Lines are 95 % intervals over patients, not corrected for their number: "
        "of a hundred, five leave zero out by chance."
        + (
            f" A finding is measured where {fewest:.0f} patients of a group have it and as many do not."
            if fewest
            else ""
        )
        + (f" In no group, since not known: {', '.join(unknown)} images." if unknown else "")
        + " A gap says that a recipe works differently, not why: groups differ in how ill they are too."
    )


def _rows(partitions: Mapping[str, Any]) -> tuple[list[Row], list[_Place]]:
    rows: list[Row] = []
    places: list[_Place] = []
    for by, own in partitions.items():
        groups = part(own, "groups")
        if not groups:
            continue
        rows.append(Row(_words(by), heading=True))
        places.append(_Place(by, ""))
        for group, entry in groups.items():
            rows.append(Row(str(group), note=grouped(number(entry, "images") or 0)))
            places.append(_Place(by, str(group)))
    return rows, places


def _words(by: str) -> str:
    return _WORDS.get(by, finding_name(by))


def _level(recipes: Mapping[str, Any], name: str, place: _Place) -> Estimate:
    return Estimate.of(part(recipes, name, place.by, "groups", place.group, "macro").get("auroc"))


def _gap(recipes: Mapping[str, Any], name: str, place: _Place) -> Estimate:
    if part(recipes, name, place.by).get("reference") == place.group:
        return Estimate(0.0)
    return Estimate.of(part(recipes, name, place.by, "gaps", place.group, "macro").get("sensitivity"))


Reader = Callable[[Mapping[str, Any], str, _Place], Estimate]


def _ends(
    recipes: Mapping[str, Any],
    names: Sequence[str],
    places: Sequence[_Place],
    read: Reader,
    held: float,
    floors: Sequence[float | None] = (),
) -> tuple[float, float]:
    estimates = [read(recipes, name, place) for name in names for place in places if place.group]
    return domain([held, *floors, *(value for e in estimates for value in (e.mean, e.low, e.high))])


def _mark(
    results: Results,
    recipes: Mapping[str, Any],
    names: Sequence[str],
    places: Sequence[_Place],
    read: Reader,
    floors: Sequence[float | None] = (),
) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        place = places[index]
        estimates = {name: read(recipes, name, place) for name in names}
        if all(estimate.mean is None for estimate in estimates.values()):
            canvas.text(scale.start + 2, y + 4, "too few patients", "tick")
            return
        draw_floor(canvas, scale, floors[index] if floors else None, y)
        for number_, (name, estimate) in enumerate(estimates.items()):
            middle, side = y + (number_ - (len(names) - 1) / 2) * 10, results.side(name)
            if estimate.mean is None:
                continue
            with canvas.about(name):
                words = _signed_words if read is _gap else Estimate.words
                _one(canvas, scale, middle, estimate, (name, side, results.hierarchical(name)), words)

    return mark


def _one(
    canvas: Canvas,
    scale: Scale,
    y: float,
    estimate: Estimate,
    whose: tuple[str, str, bool],
    words: Callable[[Estimate], str],
) -> None:
    name, side, hierarchical = whose
    if estimate.mean is None:
        return
    draw_interval(canvas, scale, (estimate.low, estimate.high), y, f"thin {side}")
    reference = estimate.low is None and estimate.mean == 0.0
    if reference:
        canvas.circle(scale(0.0), y, 2.4, f"ring {side}", tip=f"{name}: the largest group")
        return
    canvas.marker(scale(estimate.mean), y, hierarchical, f"dot {side}", size=3.4, tip=f"{name}: {words(estimate)}")


def _floor(results: Results, place: _Place, metric: str = "auroc") -> Estimate:
    return floor_at(results, "subgroups", place.by, "groups", place.group, "macro", metric)


def _floor_table(results: Results, places: Sequence[_Place]) -> list[Table]:
    rows = [
        [_words(place.by), place.group, *(_floor(results, place, metric).words() for metric in _METRIC_WORDS)]
        for place in places
        if place.group
    ]
    if not floor_keys(*(_floor(results, place).mean for place in places)):
        return []
    return [Table(["by", "group", *_METRIC_WORDS.values()], rows, words=2, note=f"{NAME}, over the same findings")]


def _spoken(recipes: Mapping[str, Any], names: Sequence[str], places: Sequence[_Place]) -> str:
    parts = []
    for place in places:
        if place.group:
            values = ", ".join(f"{name} {decimal(_level(recipes, name, place).mean)}" for name in names)
            parts.append(f"{_words(place.by)} {place.group}: {values}")
    return f"Mean AUROC by subgroup. {'; '.join(parts)}."


def _signed_words(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return signed(estimate.mean)
    return f"{signed(estimate.mean)} [{signed(estimate.low)}, {signed(estimate.high)}]"


def _table(recipes: Mapping[str, Any], name: str, places: Sequence[_Place]) -> Table:
    rows = []
    for place in places:
        if not place.group:
            continue
        own = part(recipes, name, place.by)
        entry = part(own, "groups", place.group)
        values = [Estimate.of(part(entry, "macro").get(metric)).words() for metric in _METRIC_WORDS]
        gaps = [Estimate.of(part(own, "gaps", place.group, "macro").get(metric)) for metric in _GAP_WORDS]
        held = place.group == own.get("reference")
        counts = [grouped(number(entry, key) or 0) for key in ("images", "patients")]
        rows.append([
            _words(place.by), place.group, *counts,
            str(len(own.get("findings", ()))), *values, *("reference" if held else _signed_words(gap) for gap in gaps),
        ])  # fmt: skip
    head = [
        "by", "group", "images", "patients", "findings", *_METRIC_WORDS.values(),
        *(f"{words}: gap" for words in _GAP_WORDS.values()),
    ]  # fmt: skip
    return Table(head, rows, words=2, note=f"{name}, means over the findings that all groups of a block measure")


def _gaps_table(recipes: Mapping[str, Any], name: str, findings: Sequence[str]) -> Table:
    """Equal opportunity, finding by finding."""
    columns = [
        (by, group)
        for by, own in part(recipes, name).items()
        for group in part(own, "gaps")
    ]  # fmt: skip
    rows = []
    for finding in findings:
        cells = []
        for by, group in columns:
            gap = Estimate.of(part(recipes, name, by, "gaps", group, "per_label", finding).get("sensitivity"))
            cells.append("" if gap.mean is None else _signed_words(gap))
        if any(cells):
            rows.append([finding_name(finding), *cells])
    head = [f"{group} against {part(recipes, name, by).get('reference')}" for by, group in columns]
    note = f"{name}: difference in sensitivity, finding by finding; empty where a group has too few patients"
    return Table(["finding", *head], rows, note=note)
