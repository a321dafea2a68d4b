"""Case by case: which cases a hierarchy wins over a flat recipe, which it loses and where, and for how many alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chestxpert.report.canvas import Canvas
from chestxpert.report.diagnosed import Diagnosis, Pair
from chestxpert.report.figure import SIDES, Figure, Key, Table, two_widths
from chestxpert.report.figure_tree import decision_depths, or_words
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows, draw_stack
from chestxpert.report.scales import MINUS, UNDEFINED, Scale, decimal, domain, grouped, percent, signed, tick_text
from chestxpert.report.stored_values import Estimate
from chestxpert.taxonomy import Taxonomy

_WIDEST = 0.5
"""Intervals of a few cases may run on beyond this difference of recall."""


def cases_figure(
    results: Results, tree: Taxonomy, findings: Sequence[str], recipes: Sequence[str], anchor: str = "fig-cases"
) -> Figure | None:
    """The best recipe down one tree against the best flat one, a row a finding; every other pair as a table.

    Parameters
    ----------
    tree : Taxonomy
    findings : sequence of str
        In the order shown.
    recipes : sequence of str
        Those that go down `tree`.
    anchor : str
        Of the figure on the page.

    Returns
    -------
    Figure, or None where the comparison has no diagnosis, or no flat recipe was run.
    """
    diagnosis = Diagnosis(results)
    names, against = diagnosis.recipes(recipes), diagnosis.against
    if not names or not against:
        return None
    name, flat = names[0], against[0]
    pairs = [diagnosis.mean_pair(name, flat, findings), *(diagnosis.pair(name, flat, f) for f in findings)]
    rows = [Row("mean of findings", "muted", strong=True)]
    rows += [Row(finding_name(f), note=grouped(diagnosis.counts(name, f)["n"])) for f in findings]
    depths = decision_depths(tree)
    panels = [_alone_panel(rows, pairs, depths), _alarms_panel(rows, pairs), _recall_panel(rows, pairs)]
    return Figure(
        anchor=anchor,
        title=f"Case by case: {name} against {flat}",
        caption=(
            "The same test images under both recipes, each at its own thresholds from validation; the hierarchy "
            "decides by hard routing. Left: cases that one finds and the other misses, in percent of the finding's "
            "cases; those that the hierarchy misses are parted by the decision that turned them away. Short upright "
            "lines: how many cases two seeds of the flat recipe win and lose against each other, which is what "
            "chance in training does. Middle: false alarms, in percent of the test images. Finding more by raising "
            "more alarms is no gain, so the right panel has recall twice: at own thresholds (hollow), and with the "
            "flat recipe's cut moved until both raise equally many alarms for the finding, right or wrong (filled): "
            "then a higher recall is a higher precision too. That cut lies where the numbers meet on the test "
            "images; it serves to compare and is no threshold to use. Means over all pairs of seeds; 95 % intervals "
            "over patients, not corrected for the number of findings, and too narrow below ten cases."
            + _routing_words(name, diagnosis.routing_cost(name))
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame, note_title="test n"), _spoken(findings, pairs[1:], flat), 30
        ),
        tables=[
            _shares_table(rows, pairs, name, flat, list(depths)),
            *(_table(diagnosis, own, other, findings, tree) for own in names for other in against),
        ],
        keys=_keys(name, flat, depths, pairs),
    )


def _routing_words(name: str, cost: Estimate) -> str:
    if cost.mean is None:
        return ""
    return (
        f" The price of routing itself: with equally many alarms, the mean recall of {name} differs from that of "
        f"its own probabilities, multiplied along the path, by {signed(cost.mean)} "
        f"({signed(cost.low)} to {signed(cost.high)})."
    )


def _keys(name: str, flat: str, depths: Mapping[str, int], pairs: Sequence[Pair | None]) -> list[Key]:
    keys: list[Key] = []
    for depth in sorted(set(depths.values())):
        there = or_words([decision for decision, own in depths.items() if own == depth])
        keys.append(
            Key(f"lost-{depth}", "block", f"lost at {there}" if keys else f"only {flat} finds: lost at {there}")
        )
    keys.append(Key("found", "block", f"only {name} finds"))
    if any(pair is not None and pair.seeds is not None for pair in pairs):
        keys.append(Key("reference", "bar", f"two seeds of {flat}"))
    keys += [replace(SIDES[0], words=flat, shape="point"), replace(SIDES[1], words=name, shape="lozenge")]
    return [*keys, Key("muted", "ring", "at own thresholds"), Key("clear", "square", "with equally many alarms")]


def _alone_panel(rows: Sequence[Row], pairs: Sequence[Pair | None], depths: Mapping[str, int]) -> Panel:
    ends = [end for p in pairs if p is not None for end in (sum(p.only_flat.values()), p.only_hierarchical, p.seeds)]
    reach = domain([0.0, 0.1, *ends], ceiling=1.0)[1]

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        pair = pairs[index]
        if pair is None:
            canvas.text(scale(0) + 6, y + 4, f"{UNDEFINED}: no cases", "tick")
            return
        who = rows[index].label
        parts = [
            (
                f"lost-{depth}",
                -pair.only_flat.get(d, 0.0),
                f"{who}: {percent(pair.only_flat.get(d, 0.0))} only flat, lost at {d}",
            )
            for d, depth in depths.items()
        ]
        draw_stack(canvas, scale, parts, y)
        alone = pair.only_hierarchical
        draw_stack(canvas, scale, [("found", alone, f"{who}: {percent(alone)} only hierarchical")], y)
        for share in () if pair.seeds is None else (-pair.seeds, pair.seeds):
            canvas.line(scale(share), y - 9, scale(share), y + 9, "guess")

    return Panel(
        "Cases that one alone finds", -reach, reach, mark, reference=0.0, weight=1.25, sides=("flat", "hierarchy"),
        tick_words=lambda value, _: f"{abs(100 * value):.0f} %", at=_both_ways(reach),
    )  # fmt: skip


def _alarms_panel(rows: Sequence[Row], pairs: Sequence[Pair | None]) -> Panel:
    top = domain([0.0, 0.05, *(share for pair in pairs if pair for share in pair.false_alarms)], floor=0.0, ceiling=1.0)

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        pair = pairs[index]
        if pair is None:
            return
        ours, theirs = pair.false_alarms
        canvas.line(scale(theirs), y, scale(ours), y, "interval thin muted")
        for share, hierarchical, words in ((theirs, False, "flat"), (ours, True, "hierarchical")):
            tip = f"{rows[index].label}: {percent(share)} false alarms, {words}"
            canvas.marker(scale(share), y, hierarchical, f"dot {'hier' if hierarchical else 'flat'}", size=3.6, tip=tip)

    return Panel("False alarms", *top, mark, weight=0.8, tick_words=lambda value, _: f"{100 * value:.0f} %")


def _recall_panel(rows: Sequence[Row], pairs: Sequence[Pair | None]) -> Panel:
    estimates = [estimate for pair in pairs if pair is not None for estimate in (pair.recall, pair.matched)]
    means = [abs(estimate.mean or 0.0) for estimate in estimates]
    ends = [min(abs(end), _WIDEST) for e in estimates for end in (e.low, e.high) if end is not None]
    reach = domain([0.0, 0.1, *means, *ends], ceiling=1.0)[1]

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        pair = pairs[index]
        if pair is None:
            return
        who = rows[index].label
        draw_interval(canvas, scale, (pair.recall.low, pair.recall.high), y - 6, "thin muted")
        if pair.recall.mean is not None:
            tip = f"{who}: recall {_words(pair.recall)} at own thresholds"
            canvas.circle(scale(pair.recall.mean), y - 6, 3, "ring muted", tip=tip)
        draw_interval(canvas, scale, (pair.matched.low, pair.matched.high), y + 5, "clear")
        if pair.matched.mean is not None:
            tip = f"{who}: recall {_words(pair.matched)} at equal numbers of alarms"
            canvas.rect(scale(pair.matched.mean) - 3.5, y + 1.5, 7, 7, "square clear", tip=tip)

    sides = ("flat higher", "hierarchy higher")
    return Panel(
        f"Recall: hierarchy {MINUS} flat", -reach, reach, mark, reference=0.0, weight=1.2, sides=sides,
        tick_words=_signed_tick, at=_both_ways(reach),
    )  # fmt: skip


def _both_ways(reach: float) -> tuple[float, float, float]:
    """Ticks at zero and at one round number on either side."""
    round_one = Scale(0.0, reach, 0.0, 1.0).ticks(3)[-1]
    return -round_one, 0.0, round_one


def _signed_tick(value: float, step: float) -> str:
    text = tick_text(value, step)
    return "0" if abs(value) < step / 1000 else text if value < 0 else f"+{text}"


def _words(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return signed(estimate.mean)
    return f"{signed(estimate.mean)} [{signed(estimate.low)}, {signed(estimate.high)}]"


def _spoken(findings: Sequence[str], pairs: Sequence[Pair | None], flat: str) -> str:
    parts = [
        f"{finding_name(f)} {UNDEFINED}" if pair is None
        else f"{finding_name(f)} {percent(sum(pair.only_flat.values()), 0)} and {percent(pair.only_hierarchical, 0)}, "
        f"recall {signed(pair.matched.mean, 2)} at equal alarms"
        for f, pair in zip(findings, pairs, strict=True)
    ]  # fmt: skip
    return f"Share of cases that only {flat} finds, and that only the hierarchy finds: {'; '.join(parts)}."


def _shares_table(
    rows: Sequence[Row], pairs: Sequence[Pair | None], name: str, flat: str, decisions: Sequence[str]
) -> Table:
    """What is drawn."""
    cells = []
    for row, pair in zip(rows, pairs, strict=True):
        if pair is None:
            cells.append([row.label, *[UNDEFINED] * (len(decisions) + 6)])
            continue
        ours, theirs = pair.false_alarms
        cells.append([
            row.label, *(percent(pair.only_flat.get(d, 0.0)) for d in decisions), percent(pair.only_hierarchical),
            "" if pair.seeds is None else percent(pair.seeds), percent(theirs), percent(ours),
            _words(pair.recall), _words(pair.matched),
        ])  # fmt: skip
    head = [
        "finding", *(f"only flat, lost at {d}" for d in decisions), "only hierarchical", "two flat seeds",
        "false alarms, flat", "false alarms, hierarchical", "recall difference",
        "recall difference with as many alarms",
    ]  # fmt: skip
    return Table(head, cells, note=f"{name} against {flat}, as drawn: shares of the cases, alarms of all images")


def _table(diagnosis: Diagnosis, name: str, flat: str, findings: Sequence[str], tree: Taxonomy) -> Table:
    decisions = [decision.name for decision in tree.decisions]
    rows = []
    for finding in findings:
        own, other = diagnosis.counts(name, finding), diagnosis.flat_counts(flat, finding)
        cells = own["against"][flat]
        lost = [_count(cells["only_flat"][d]) if d in cells["only_flat"] else "" for d in decisions]
        rows.append([
            finding_name(finding), grouped(own["n"]), _count(cells["both"]), _count(cells["only_hierarchical"]), *lost,
            _count(sum(cells["neither"].values())), _count(own["false_alarms"]), _count(other["false_alarms"]),
            _words(Estimate.of(cells["recall_difference"])), _count(own["found"]), _count(cells["matched"]["found"]),
            _words(Estimate.of(cells["matched"]["recall_difference"])), _count(own["product"]["found"]),
        ])  # fmt: skip
    head = [
        "finding", "test n", "found by both", "only hierarchical", *(f"only flat, lost at {d}" for d in decisions),
        "neither", "false alarms, hierarchical", "false alarms, flat", "recall difference [95 % interval]",
        "found, hierarchical", "found by flat with as many alarms", "recall difference with as many alarms",
        "found by own product with as many alarms",
    ]  # fmt: skip
    return Table(head, rows, note=f"{name} against {flat}: test images, means over seeds")


def _count(value: float) -> str:
    """A number of images; means over seeds keep a decimal."""
    return grouped(value) if float(value).is_integer() else decimal(value, 1).replace("-", MINUS)
