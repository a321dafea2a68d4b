"""Markdown of plain words: whatever stands in a name or a file, a reader sees it as it is.

Every sentence and cell is escaped here and nowhere else, so the modules that write them hold no Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chestxpert.report.figure import Table

_SIGNS = re.compile(r"([\\`*_<>#&~$]|\](?=[(:\[]))")
"""What means something within a line. A closing bracket does so only before what makes a link of it."""

_BEGINS_A_BLOCK = re.compile(r"^(\d*)([-+=\[]|(?<=\d)[.)](?= |$))")
"""What makes a list, a rule or a heading of a line that begins with it."""


def escaped(words: str) -> str:
    """Words on one line that Markdown (CommonMark, GitHub's, Hugging Face's) shows as they are, within a line."""
    return _SIGNS.sub(r"\\\1", " ".join(words.split()))


def paragraph(words: str) -> str:
    """A paragraph of one line; empty without words."""
    return _BEGINS_A_BLOCK.sub(r"\1\\\2", escaped(words))


def sentences(*told: str) -> str:
    """Those of some sentences that say something, in a row."""
    return " ".join(sentence for sentence in told if sentence)


def warning(words: str) -> str:
    """A paragraph set apart and in bold."""
    return f"> **{escaped(words)}**"


def bullets(items: Iterable[str]) -> str:
    """A list, an item a line."""
    return "\n".join(f"- {paragraph(item)}" for item in items)


def fenced(text: str, language: str = "") -> str:
    """Text as it is, between fences longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def table(table: Table) -> str:
    """A table with its note above it; titles over several columns go into each of their heads.

    Words are left, numbers right. A row that is shorter than the head is filled with empty cells.
    """
    heads = _heads(table)
    rule = [":--" if column < table.words else "--:" for column in range(len(heads))]
    filled = [[*row, *[""] * (len(heads) - len(row))] for row in table.rows]
    lines = [_row(map(_cell, heads)), _row(rule), *(_row(map(_cell, row)) for row in filled)]
    note = [f"{escaped(table.note)}:", ""] if table.note else []
    return "\n".join([*note, *lines])


def _heads(table: Table) -> list[str]:
    over = [title for title, width in table.groups for _ in range(width)] or [""] * len(table.head)
    return [
        f"{title}: {head}" if title and head else title or head for title, head in zip(over, table.head, strict=True)
    ]


def _cell(words: str) -> str:
    # A cell ends at any pipe without a backslash, whatever else is around it.
    return escaped(words).replace("|", r"\|")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it, as Markdown; `parts` are sections within it."""

    title: str
    blocks: Sequence[str] = ()
    parts: Sequence[Section] = field(default_factory=tuple)

    def lines(self, level: int = 2) -> list[str]:
        """Blocks with an empty line between them; what is empty is left out."""
        found = [f"{'#' * level} {escaped(self.title)}", *(block for block in self.blocks if block)]
        return [*found, *(line for part in self.parts for line in part.lines(level + 1))]


def document(title: str, front: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page below its front matter: title, what is said first, and sections."""
    blocks = [f"# {escaped(title)}", *(block for block in front if block)]
    blocks += [block for section in sections for block in section.lines()]
    return "\n\n".join(blocks) + "\n"
