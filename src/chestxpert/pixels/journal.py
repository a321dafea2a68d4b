"""A journal: what is finished, line by line, so that a killed run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE = "journal.jsonl"

Record = list[Any]
"""JSON values; the first is the record's kind."""


class Journal:
    """An append-only file of JSON lines. Lines are kept back until `flush`.

    Parameters
    ----------
    folder : Path
        Holds the file.
    head : Record
        First line. A journal with another head belongs to other work.
    """

    def __init__(self, folder: Path, head: Record) -> None:
        self._path, self._head = folder / FILE, head
        self._waiting: list[Record] = []

    def read(self) -> list[Record] | None:
        """Records below the head; None if there is no journal, or one of other work."""
        records = list(read_records(self._path.parent))
        return records[1:] if records[:1] == [self._head] else None

    def begin(self, records: Iterable[Record]) -> None:
        """Write a new file with these records; the old one is replaced when the new one is whole and on the disk."""
        aside = self._path.with_suffix(".new")
        with aside.open("w", encoding="ascii") as file:
            file.writelines(_line(record) for record in [self._head, *records])
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def add(self, *record: Any) -> None:
        """Keep a record for the next `flush`."""
        self._waiting.append(list(record))

    def flush(self) -> None:
        """Append what was added, and see it on the disk."""
        lines, self._waiting = self._waiting, []
        with self._path.open("a", encoding="ascii") as file:
            file.writelines(_line(record) for record in lines)
            file.flush()
            os.fsync(file.fileno())


def read_records(folder: Path) -> Iterator[Record]:
    """All whole records of the journal in a folder, its head first; none if there is no journal."""
    with suppress(FileNotFoundError), (folder / FILE).open("rb") as file:
        yield from _whole(file)


def _line(record: Record) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


def _whole(lines: Iterable[bytes]) -> Iterator[Record]:
    """Records up to the first line that is not whole: what a kill or a power cut left of the last one."""
    for line in lines:
        try:
            record = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            return
        if not isinstance(record, list) or not record:
            return
        yield record
