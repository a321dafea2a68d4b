"""Confusion at every decision of the tree: each decision by itself, and what comes out of hard routing."""

from __future__ import annotations

from collections.abc import Sequence

from chestxpert.report.figure import Table
from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import decimal, grouped
from chestxpert.report.stored_values import Confusion
from chestxpert.taxonomy import Taxonomy

_COLUMNS = ("tp", "fp", "fn", "tn", "precision", "recall")
_GROUPS = (("", 2), ("where the node above truly holds", len(_COLUMNS)), ("under hard routing", len(_COLUMNS)))


def confusion_tables(results: Results, tree: Taxonomy, recipes: Sequence[str] | None = None) -> list[Table]:
    """A table for each recipe down `tree`, a row a node; the note of a table is the recipe's name.

    `recipes` are those that go down it, every hierarchical one by default.
    What a comparison does not hold is left out: a count is then an empty cell, a node no row, a recipe no table.
    """
    along = [name for name in results.recipes if results.hierarchical(name) and name in (recipes or results.recipes)]
    tables = (_table(results, name, tree) for name in along)
    return [table for table in tables if table.rows]


def _table(results: Results, name: str, tree: Taxonomy) -> Table:
    found = {node: results.confusion(name, node) for node in tree.nodes}
    counted = [one for pair in found.values() for one in pair if one is not None]
    whole = all(float(count).is_integer() for one in counted for count in one.counts)
    rows = [
        [tree.decision_of(node).name, finding_name(node), *_cells(alone, whole), *_cells(routed, whole)]
        for node, (alone, routed) in found.items()
        if alone is not None or routed is not None
    ]
    return Table(["decision", "node", *_COLUMNS, *_COLUMNS], rows, words=2, note=name, groups=_GROUPS)


def _cells(confusion: Confusion | None, whole: bool) -> list[str]:
    if confusion is None:
        return [""] * len(_COLUMNS)
    counts = [grouped(count) if whole else _with_tenths(count) for count in confusion.counts]
    return [*counts, decimal(confusion.precision, 2), decimal(confusion.recall, 2)]


def _with_tenths(count: float) -> str:
    return f"{count:,.1f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
