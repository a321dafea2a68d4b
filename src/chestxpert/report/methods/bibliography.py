"""BibTeX of the works that a study rests on: entries of `works.bib`, found by surname and year of who is named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

WORKS = "works.bib"


@dataclass(frozen=True)
class Work:
    """One entry: its key, its text as BibTeX, the surnames of its authors, its year."""

    key: str
    entry: str
    surnames: tuple[str, ...]
    year: str

    @property
    def cited(self) -> str:
        """As in a running text: ``Lin et al., 2017``."""
        if len(self.surnames) > 2 or "others" in self.surnames:
            return f"{self.surnames[0]} et al., {self.year}"
        return f"{' and '.join(self.surnames)}, {self.year}"


@cache
def works() -> dict[str, Work]:
    """Every entry by its key, in the order of the file."""
    text = (resources.files("chestxpert.report.methods") / WORKS).read_text(encoding="utf-8")
    entries = [f"@{entry.strip()}" for entry in re.split(r"^@", text, flags=re.MULTILINE)[1:]]
    found = {}
    for entry in entries:
        key, authors, year = (_one(pattern, entry) for pattern in _PARTS)
        surnames = tuple(_plain(name.split(",")[0]) for name in authors.split(" and "))
        found[key] = Work(key, entry, surnames, year)
    return found


_PARTS = (r"\{(\w+),", r"author = \{(.+)\},\n", r"year = \{(\d+)\}")


def _one(pattern: str, entry: str) -> str:
    match = re.search(pattern, entry)
    return match[1] if match else ""


def _plain(name: str) -> str:
    """A name without TeX's accents."""
    return re.sub(r"\{\\.(.)\}|[{}]", r"\1", name).strip()


def named_in(source: str) -> list[Work]:
    """The works that a source of the catalogue names: each part of it, between semicolons, by surname and year."""
    found = {}
    for clause in source.split(";"):
        for key, work in works().items():
            if work.year in clause and re.search(rf"\b{re.escape(work.surnames[0])}\b", clause):
                found[key] = work
    return list(found.values())


@dataclass
class Cited:
    """The works that a text has cited so far, in the order of their first mention."""

    keys: dict[str, None] = field(default_factory=dict)

    def __call__(self, *keys: str) -> str:
        """The works in brackets, as ``(Lin et al., 2017; Cui et al., 2019)``; empty without any."""
        if not keys:
            return ""
        self.keys.update(dict.fromkeys(keys))
        return f"({'; '.join(works()[key].cited for key in keys)})"

    def source(self, source: str) -> str:
        """The works that a source of the catalogue names, in brackets."""
        return self(*(work.key for work in named_in(source)))


def bibtex(keys: Iterable[str], version: str) -> str:
    """BibTeX of this software and of some works."""
    software = (
        "@software{chestxpert,\n"
        "  author = {{The ChestXpert authors}},\n"
        "  title = {{ChestXpert}: honest comparison of flat and hierarchical classifiers on long-tailed chest {X}-ray "
        "data},\n"
        f"  version = {{{version}}},\n"
        "  license = {Apache-2.0}\n"
        "}"
    )
    return "\n\n".join([software, *(works()[key].entry for key in keys)]) + "\n"
