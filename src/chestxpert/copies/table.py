"""augmented_images.csv: which image each augmented copy was made from, and which findings it carries."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chestxpert.cohort.textfiles import read_table
from chestxpert.errors import DataError

TABLE, IMAGES, RECORD = "augmented_images.csv", "images", "oversample.json"
HEADER = ("id", "findings", "origin")
SEPARATOR = "|"


@dataclass(frozen=True)
class CopyTable:
    """Augmented copies: three texts each.

    Parameters
    ----------
    ids : tuple of str
        Image ids, and file names below ``images/``; each once.
    findings : tuple of str
        Labels that each carries, in label order, joined by ``|``.
    origins : tuple of str
        Image that each was made from.
    """

    ids: tuple[str, ...]
    findings: tuple[str, ...]
    origins: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def write(self, path: Path) -> None:
        """Write the CSV file."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(zip(self.ids, self.findings, self.origins, strict=True))


def name_copies(origins: Iterable[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Image ids ``ORIGIN_aug-K.png`` of copies, K counting the copies of one origin from 1.

    ``.png`` at the end of an origin is left out, any other ending stays: ``a.png`` and ``a.jpg`` are two images.

    Raises
    ------
    DataError
        If an id is taken, or an origin cannot be the name of a file below a folder.
    """
    so_far: Counter[str] = Counter()
    ids = []
    for origin in origins:
        if PurePosixPath(origin).is_absolute() or ".." in PurePosixPath(origin).parts:
            raise DataError(f"The image id {origin!r} leads out of a folder, so its copies cannot be written into one.")
        so_far[origin] += 1
        ids.append(f"{origin.removesuffix('.png')}_aug-{so_far[origin]}.png")
    used = set(taken)
    again = next((name for name, count in Counter(ids).items() if count > 1 or name in used), None)
    if again is not None:
        raise DataError(f"The copy '{again}' would have the id of another image. Rename the images of the data set.")
    return tuple(ids)


def is_copies_folder(folder: Path) -> bool:
    """Whether a folder holds augmented copies and their table."""
    return (folder / TABLE).is_file()


def read_copies(folder: Path) -> CopyTable:
    """Read ``augmented_images.csv`` of a folder.

    Raises
    ------
    DataError
        If it is missing, lacks a column (such as the origin, without which nobody can say on which side of the split
        a copy belongs), has a row without an id or origin, or an id twice.
    """
    path = folder / TABLE
    if not path.is_file():
        raise DataError(f"{folder} holds no {TABLE}. Make one with 'chestxpert data oversample DATASET --out DIR'.")
    table = read_table(path)
    columns = [table.required((name,)) for name in HEADER]
    rows = [_cells(raw, columns, f"{path} line {line}") for line, raw in table.rows]
    twice = next((name for name, count in Counter(row[0] for row in rows).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{path} names '{twice}' more than once. An image has one row.")
    return CopyTable(*(tuple(row[part] for row in rows) for part in range(3)))


def _cells(raw: Sequence[str], columns: Sequence[int], where: str) -> tuple[str, str, str]:
    if len(raw) <= max(columns) or not all(raw[column].strip() for column in columns):
        raise DataError(f"{where}: {','.join(raw)!r} lacks one of {', '.join(HEADER)}. Write the copies again.")
    image, findings, origin = (raw[column].strip() for column in columns)
    return image, findings, origin
