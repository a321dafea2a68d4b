"""The contrasts as tables: the differences and their tests, and what these patients could have shown at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chestxpert.report.evidence.stored import number, part
from chestxpert.report.external import coverage_words, dagger_on
from chestxpert.report.figure import Table
from chestxpert.report.results import metric_name
from chestxpert.report.scales import decimal, p_value, signed
from chestxpert.report.stored_values import Contrast

Cell = Callable[[Contrast], str]


def contrast_tables(contrasts: Sequence[Contrast], margin: object = None) -> list[Table]:
    """Differences with their tests; then, where it is recorded, detectable differences, seeds and equivalence."""
    tests: dict[str, Cell] = {
        "difference [95 % interval]": lambda c: _range(c.difference, c.low, c.high),
        "p": lambda c: p_value(c.p),
        "p, Holm": lambda c: p_value(c.p_adjusted),
    }
    more: dict[str, Cell] = {
        "p, Benjamini-Hochberg": lambda c: p_value(number(c.more, "p_bh")),
        "p, permutation": lambda c: p_value(number(c.more, "p_permutation")),
        "p, permutation, Holm": lambda c: p_value(number(c.more, "p_permutation_adjusted")),
        "shown": lambda c: "yes" if c.clear else "no",
    }
    on: dict[str, Cell] = {
        "measured on": lambda c: coverage_words(part(c.more, "shared")) or "everything",
    }
    tests |= on if any(dagger_on(contrast) for contrast in contrasts) else {}
    tables = [_table(contrasts, tests | (more if _any(contrasts, "p_permutation") else {}))]
    reach = _reach(contrasts)
    if reach:
        tables.append(_table(contrasts, reach, _reach_note(contrasts)))
    if _any(contrasts, "equivalence"):
        tables.append(_table(contrasts, _EQUIVALENCE, f"Equivalent within {_margin(margin)}: two one-sided tests"))
    return tables


def _table(contrasts: Sequence[Contrast], cells: Mapping[str, Cell], note: str = "") -> Table:
    rows = [[c.a, c.b, metric_name(c.metric), *(cell(c) for cell in cells.values())] for c in contrasts]
    return Table(["recipe", "against", "metric", *cells], rows, words=3, note=note)


def _any(contrasts: Sequence[Contrast], key: str) -> bool:
    return any(contrast.more.get(key) is not None for contrast in contrasts)


def _reach(contrasts: Sequence[Contrast]) -> dict[str, Cell]:
    """Columns on what could have been seen, as far as they are recorded."""
    columns: dict[str, tuple[str, Cell]] = {
        "standard error": ("error", lambda c: decimal(number(c.more, "error"), 4)),
        "detectable alone": ("mdd", lambda c: decimal(number(c.more, "mdd", "alone"))),
        "detectable among all": ("mdd", lambda c: decimal(number(c.more, "mdd", "adjusted"))),
        "interval, BCa": ("bca", lambda c: _ends(part(c.more, "bca"))),
        "interval over patients and seeds": ("seeds", lambda c: _ends(part(c.more, "seeds"))),
    }
    return {words: cell for words, (key, cell) in columns.items() if _any(contrasts, key)}


def _reach_note(contrasts: Sequence[Contrast]) -> str:
    power = next((p for c in contrasts if (p := number(c.more, "mdd", "power")) is not None), None)
    if power is None:
        return "Other intervals"
    return f"The true difference that would be shown {power:.0%} of the time".replace("%", " %")


_EQUIVALENCE: dict[str, Cell] = {
    "90 % interval": lambda c: _ends(part(c.more, "equivalence")),
    "p": lambda c: p_value(number(c.more, "equivalence", "p")),
    "p, Holm": lambda c: p_value(number(c.more, "equivalence", "p_adjusted")),
    "equivalent": lambda c: "yes" if part(c.more, "equivalence").get("equivalent") else "not shown",
}


def _margin(margin: object) -> str:
    return f"{margin:g}" if isinstance(margin, int | float) else "the margin"


def _ends(values: Mapping[str, Any]) -> str:
    low, high = number(values, "low"), number(values, "high")
    return decimal(None) if low is None or high is None else f"{signed(low)} to {signed(high)}"


def _range(difference: float | None, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return signed(difference)
    return f"{signed(difference)} [{signed(low)}, {signed(high)}]"
