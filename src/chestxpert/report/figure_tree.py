"""Confusion along the tree: of the true cases of each finding, how many are found, and where the others are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Mark, Panel, Row, draw_rows, draw_stack
from chestxpert.report.scales import UNDEFINED, Scale, grouped, percent
from chestxpert.report.stored_values import Fate
from chestxpert.taxonomy import Taxonomy


def tree_figure(
    results: Results,
    tree: Taxonomy,
    findings: Sequence[str],
    cases: Mapping[str, int],
    recipes: Sequence[str] | None = None,
    anchor: str = "fig-tree",
) -> Figure | None:
    """Stacked bars of every recipe down one tree, with the best flat recipe's share found as a mark.

    Parameters
    ----------
    tree : Taxonomy
    findings : sequence of str
        In the order shown.
    cases : mapping of finding to its test images
    recipes : sequence of str, optional
        Those that go down `tree`; every hierarchical one by default.
    anchor : str
        Of the figure on the page.

    Returns
    -------
    Figure, or None where no hierarchical recipe was run or its cases were not recorded.
    """
    flat = next((name for name in results.best if not results.hierarchical(name)), None)
    along = [name for name in results.recipes if results.hierarchical(name) and name in (recipes or results.recipes)]
    shown = [name for name in results.recipes if name in along or name == flat]
    recorded = {name: {f: fate for f in findings if (fate := results.fate(name, f))} for name in shown}
    fates = {name: each for name, each in recorded.items() if len(each) == len(findings)}
    every = [name for name in fates if name != flat]
    names = results.foremost(every)
    if not names:
        return None
    rows = [Row(finding_name(finding), note=grouped(cases[finding])) for finding in findings]
    decisions = decision_depths(tree)
    panels = [
        Panel(name, 0.0, 1.0, _stack(findings, fates[name], fates.get(flat or "", {}), decisions, name),
              tick_words=lambda value, _: f"{100 * value:.0f} %")
        for name in names
    ]  # fmt: skip
    keys = [Key("found", "block", "found")]
    for depth in sorted(set(decisions.values())):
        there = [name for name, own in decisions.items() if own == depth]
        keys.append(Key(f"lost-{depth}", "block", f"lost at {or_words(there)}"))
    if flat in fates:
        keys.append(Key("flat", "circle", f"found by {flat}"))
    return Figure(
        anchor=anchor,
        title="Where hard routing loses cases",
        caption=(
            "Every bar is all the test images that truly carry the finding. Under hard routing an image goes "
            "down the tree only while each decision says yes, by thresholds chosen on validation; a lost case is "
            "counted at the first decision that turned it away. The mark shows how many of the same cases the "
            "best flat recipe finds at its own thresholds. More cases found may come with more false alarms: F1 "
            "weighs the two." + not_drawn_words(names, every)
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame, note_title="test n"), _spoken(findings, names, fates), 24
        ),
        tables=[_table(findings, cases, fates, list(decisions))],
        keys=keys,
    )


def not_drawn_words(drawn: Sequence[str], every: Sequence[str]) -> str:
    """Where the hierarchies are that a figure leaves out; empty where it draws them all."""
    if len(drawn) == len(every):
        return ""
    return f" Drawn are the {len(drawn)} best on validation; all {len(every)} stand in the tables beneath."


def decision_depths(tree: Taxonomy) -> dict[str, int]:
    """How far below the root each decision is taken; decisions of one depth share a colour."""
    return {decision.name: _depth(tree, decision.parent) for decision in tree.decisions}


def _depth(tree: Taxonomy, parent: str | None) -> int:
    """How far below the root a decision is taken, as far as the style sheet has colours: 0 to 3."""
    return 0 if parent is None else min(len(tree.ancestors(parent)) + 1, 3)


def or_words(names: Sequence[str]) -> str:
    """The names as a choice: ``B``, ``B or C``, ``B, C or D``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _stack(
    findings: Sequence[str],
    fates: Mapping[str, Fate],
    flat: Mapping[str, Fate],
    decisions: Mapping[str, int],
    name: str,
) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        finding = findings[index]
        fate = fates[finding]
        if fate.found is None:
            canvas.text(scale(0), y + 4, f"{UNDEFINED}: no cases", "tick")
            return
        parts = [("found", "found", fate.found)]
        parts += [(f"lost-{depth}", f"lost at {d}", fate.lost.get(d, 0.0)) for d, depth in decisions.items()]
        who = f"{finding_name(finding)}, {name}"
        draw_stack(
            canvas, scale, [(kind, part, f"{who}: {percent(part, 0)} {words}") for kind, words, part in parts], y
        )
        other = flat.get(finding)
        if other is not None and other.found is not None:
            tip = f"{finding_name(finding)}: {percent(other.found, 0)} found by the flat recipe"
            canvas.marker(scale(other.found), y, False, "dot flat ringed", size=4, tip=tip)

    return mark


def _spoken(findings: Sequence[str], names: Sequence[str], fates: Mapping[str, Mapping[str, Fate]]) -> str:
    parts = [
        f"{finding_name(f)} " + ", ".join(f"{percent(fates[name][f].found, 0)} by {name}" for name in names)
        for f in findings
    ]
    return f"Share of true cases found under hard routing: {'; '.join(parts)}."


def _table(
    findings: Sequence[str], cases: Mapping[str, int], fates: Mapping[str, Mapping[str, Fate]], decisions: Sequence[str]
) -> Table:
    rows = []
    for finding in findings:
        for name, fate in ((name, each[finding]) for name, each in fates.items()):
            lost = ["" if not fate.lost else percent(fate.lost.get(d), 0) for d in decisions]
            rows.append([finding_name(finding), name, grouped(cases[finding]), percent(fate.found, 0), *lost])
    return Table(["finding", "recipe", "test n", "found", *(f"lost at {d}" for d in decisions)], rows, words=2)
