"""Rejects: what of a source is left out of a cohort, each with a reason, so that nothing vanishes in silence."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from chestxpert.errors import DataError

REASONS: Mapping[str, str] = {
    "bad-row": "row of the label table that cannot be read",
    "unknown-finding": "row with a finding that the label space does not know",
    "contradiction": "row that says both a finding and No Finding, or neither",
    "unlabelled": "row that settles no label: each is missing, uncertain or not among the label space's",
    "lateral-view": "image that is not a frontal view",
    "duplicate-row": "image id that stood in the label table before; the first row is used",
    "missing-image": "row without an image file",
    "no-row": "image file without a row in the label table",
    "duplicate-image": "image file whose name occurs in another folder too; the first by path is used",
    "ambiguous-image": "image file that several rows could mean",
    "unknown-image": "row of another tool's predictions whose image is not in the data set",
    "unsafe-member": "member of an archive that is refused: outside of it, a link, a device, or too large",
    "damaged-archive": "archive that cannot be read to its end; what came before is used",
    "not-listed": "image that stands in neither train_val_list.txt nor test_list.txt",
    "undecodable": "image file that cannot be decoded",
    "bad-box": "row of the box list that cannot be read",
    "box-without-image": "box of an image that is not in the cohort",
}


@dataclass(frozen=True)
class Reject:
    """One thing left out.

    Parameters
    ----------
    image_id : str
        Name of the image, or "" if not even that could be read.
    reason : str
        A key of `REASONS`.
    detail : str
        What was found, for a person.
    """

    image_id: str
    reason: str
    detail: str


def count_reasons(rejects: Iterable[Reject]) -> dict[str, int]:
    """Number of rejects for each reason that occurs, in the order of `REASONS`."""
    counts = Counter(reject.reason for reject in rejects)
    return {reason: counts[reason] for reason in REASONS if counts[reason]}


def write_rejects(rejects: Iterable[Reject], path: Path) -> None:
    """Write ``image_id,reason,detail`` rows, in the order of `REASONS`; a file with a header if there are none."""
    order = list(REASONS)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image_id", "reason", "detail"])
        writer.writerows(astuple(reject) for reject in sorted(rejects, key=lambda r: order.index(r.reason)))


def read_rejects(path: Path) -> list[Reject]:
    """Rejects that `write_rejects` wrote, in the order of the file.

    Raises
    ------
    DataError
        If the file is missing or is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [Reject(row["image_id"], row["reason"], row["detail"]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as a list of rejects ({error!r}). Prepare the data set again."
        ) from error
