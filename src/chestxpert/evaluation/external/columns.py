"""Which column of a stranger's table is what: the image, the findings, and, where there are any, split and seed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.external.table import StrangersTable
from chestxpert.labels import LabelSpace

IMAGE = (
    "image", "imageid", "imageindex", "imagename", "imagefile", "imagefilename", "imagepath", "img", "imgid", "imgname",
    "filename", "file", "filepath", "path", "dicomid", "id", "name", "index", "unnamed:0", "",
)  # fmt: skip
"""What the column with the images is called, the surest name first; case, spaces and signs between do not count.

The last ones are what tables have whose index was written out without a name."""


@dataclass(frozen=True)
class Columns:
    """Places in the header.

    Parameters
    ----------
    image : int
    findings : mapping of label to int
        In label order.
    split, seed : int or None
    unused : tuple of str
        Names of all other columns.
    """

    image: int
    findings: Mapping[str, int]
    split: int | None
    seed: int | None
    unused: tuple[str, ...]

    @classmethod
    def of(cls, table: StrangersTable, space: LabelSpace) -> Columns:
        """Find the columns by their names.

        Raises
        ------
        PredictionsError
            If there is no column of images or none of a finding, or two for the same.
        """
        findings = _findings(table, space)
        left = {place: name for place, name in enumerate(table.header) if place not in findings.values()}
        split, seed = (_single(table, left, (name,)) for name in ("split", "seed"))
        image = _single(table, {place: name for place, name in left.items() if place not in (split, seed)}, IMAGE)
        if image is None:
            raise PredictionsError(
                f"{table.name} has no column that names the images. Call it 'image'. {_header(table)}"
            )
        unused = tuple(name for place, name in left.items() if place not in (image, split, seed))
        return cls(image, findings, split, seed, unused)

    def why_absent(self, label: str) -> str:
        """Why a finding without a column is not measured, with a name that may have been meant for it."""
        near = difflib.get_close_matches(_bare(label), [_bare(name) for name in self.unused], n=1)
        hint = next((name for name in self.unused if near and _bare(name) == near[0]), "")
        return "no column of that name" + (f" (there is '{hint}')" if hint else "")


def _findings(table: StrangersTable, space: LabelSpace) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, name in enumerate(table.header):
        label = space.get(name)
        if label is None:
            continue
        if label in found:
            both = f"'{table.header[found[label]]}' and '{name}'"
            raise PredictionsError(f"Two columns of {table.name} are of {label}: {both}. Keep the right one.")
        found[label] = place
    if not any(label in space.findings for label in found):
        raise PredictionsError(
            f"{table.name} has no column of a finding of the data set. {_header(table)} Its findings are "
            f"{', '.join(space.findings)}."
        )
    return {label: found[label] for label in space.labels if label in found}


def _single(table: StrangersTable, left: Mapping[int, str], names: tuple[str, ...]) -> int | None:
    """The column that has the first of `names` that any has."""
    for wanted in names:
        places = [place for place, name in left.items() if _bare(name) == wanted]
        if len(places) > 1:
            raise PredictionsError(
                f"{len(places)} columns of {table.name} are called '{table.header[places[0]]}'. Keep the right one."
            )
        if places:
            return places[0]
    return None


def _bare(name: str) -> str:
    """A name without case and without what stands between its words."""
    return "".join(sign for sign in name.casefold() if sign not in " _-.")


def _header(table: StrangersTable) -> str:
    return f"Its columns are {', '.join(repr(name) for name in table.header[:30])}."
