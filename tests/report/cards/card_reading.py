"""Cards as a Markdown reader sees them, by a parser of another hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from markdown_it.token import Token


def parser() -> MarkdownIt:
    """CommonMark with what GitHub and Hugging Face add to it and the cards use."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def words(inline: Token) -> str:
    """What a reader sees of a line."""
    return "".join("\n" if child.type == "softbreak" else child.content for child in inline.children or ())


@dataclass
class Part:
    """What stands below one heading, up to the next."""

    paragraphs: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    fences: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join([*self.paragraphs, *self.items])


@dataclass
class Card:
    """A card read: its head as Hugging Face has it, its headings, and what stands below each."""

    head: dict
    headings: list[tuple[int, str]]
    parts: dict[str, Part]

    @classmethod
    def read(cls, text: str) -> Card:
        card = ModelCard(text, ignore_metadata_errors=False)
        headings: list[tuple[int, str]] = []
        parts: dict[str, Part] = {}
        for title, level, part in _parts(parser().parse(card.text)):
            headings.append((level, title))
            parts[title] = part
        return cls(card.data.to_dict(), headings, parts)

    @property
    def first(self) -> Part:
        """What stands below the title, before the first section."""
        return self.parts[self.headings[0][1]]

    def row(self, part: str, begins: str, table: int = 0) -> dict[str, str]:
        """A row of a table, by its head."""
        head, *rows = self.parts[part].tables[table]
        (row,) = [row for row in rows if row[0] == begins]
        return dict(zip(head, row, strict=True))


def _parts(tokens: list[Token]) -> Iterator[tuple[str, int, Part]]:
    title, level, part = "", 0, Part()
    inside: list[str] = []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            if title:
                yield title, level, part
            title, level, part = words(tokens[place + 1]), int(token.tag[1]), Part()
        elif token.type == "table_open":
            part.tables.append([])
        elif token.type == "tr_open":
            part.tables[-1].append([])
        elif token.type == "fence":
            part.fences.append((token.info, token.content))
        elif token.type == "inline" and inside and inside[-1] in ("td", "th"):
            part.tables[-1][-1].append(words(token))
        elif token.type == "inline" and "li" in inside:
            part.items.append(words(token))
        elif token.type == "inline" and (not inside or inside[-1] != "h"):
            part.paragraphs.append(words(token))
        if token.nesting == 1:
            inside.append("h" if token.type == "heading_open" else token.tag)
        elif token.nesting == -1:
            inside.pop()
    yield title, level, part
