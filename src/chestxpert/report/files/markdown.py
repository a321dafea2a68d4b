"""Tables as GitHub-flavoured Markdown: the words of the page."""

from __future__ import annotations

from collections.abc import Sequence

from chestxpert.report.figure import Table
from chestxpert.report.files.sheets import Sheet, single_head


def markdown(sheet: Sheet) -> str:
    """A heading, then each table with its note above and the setting of all below."""
    parts = [f"# {sheet.title}"]
    for table in sheet.tables:
        parts += [f"**{plain(table.note)}**"] if table.note else []
        parts.append(table_text(table))
    return "\n\n".join([*parts, sheet.setting(sheet.tables)]) + "\n"


def table_text(table: Table) -> str:
    """One table, its numbers to the right; no number is bold, since 'best' is not 'shown to be better'."""
    one = single_head(table)
    under = ["---" if place < one.words else "---:" for place in range(len(one.head))]
    return "\n".join([_line(one.head), _line(under), *map(_line, one.rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(plain(cell) for cell in cells)} |"


def plain(words: str) -> str:
    """Words that stay words: what Markdown would take for its own is escaped."""
    for mark in ("\\", "|", "*", "_", "`", "<"):
        words = words.replace(mark, f"\\{mark}")
    return words
