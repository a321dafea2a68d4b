"""The gallery as the page shows it: choose, fetch the pictures, say in words what each is."""

from __future__ import annotations

from dataclasses import dataclass

from chestxpert.report.gallery.choose import Error, confident_errors, shown_recipe
from chestxpert.report.gallery.pictures import pictures
from chestxpert.report.read import StudyFolder
from chestxpert.report.results import finding_name
from chestxpert.report.scales import decimal, grouped


@dataclass(frozen=True)
class Shown:
    """One image: its picture (empty without one), what a screen reader says of it, and what stands beneath."""

    uri: str
    alt: str
    image_id: str
    probability: str
    truth: str


@dataclass(frozen=True)
class Shelf:
    """Errors of one finding: title, its threshold, and false alarms and missed cases with a line above each."""

    finding: str
    threshold: str
    kinds: list[tuple[str, list[Shown]]]


@dataclass(frozen=True)
class Gallery:
    """The recipe that is shown, its shelves, and why there are no pictures, or not all."""

    recipe: str
    shelves: list[Shelf]
    note: str


def build_gallery(study: StudyFolder, findings: list[str], images: bool = True) -> Gallery | None:
    """Gallery of the best recipe; None where there is none, or it makes no error.

    Parameters
    ----------
    study : StudyFolder
    findings : list of str
        In the order shown.
    images : bool
        Whether to write pictures into the page; without them the images are named alone.
    """
    name = shown_recipe(study.results)
    if name is None:
        return None
    found = [each for each in confident_errors(study, name, findings) if each.alarms or each.missed]
    if not found:
        return None
    # Of every finding the surest first, so that what does not fit is the least sure of each.
    depth = max(max(len(each.alarms), len(each.missed)) for each in found)
    lists = [errors for each in found for errors in (each.alarms, each.missed)]
    order = [error for k in range(depth) for errors in lists for error in errors[k : k + 1]]
    off = "Pictures were left out when this page was made."
    drawn = pictures(study, [error.image_id for error in order]) if images else None
    uris = drawn.uris if drawn is not None else {}
    kind = "Drawing, no radiograph" if study.cohort.simulated else "Radiograph"

    def shown(error: Error, words: str) -> Shown:
        truth = ", ".join(map(finding_name, error.truth)) or "none known"
        probability = decimal(error.probability)
        alt = f"{kind} {error.image_id}: {words}, probability {probability}, labels {truth}"
        return Shown(uris.get(error.image_id, ""), alt, error.image_id, probability, truth)

    shelves = []
    for each in found:
        alarms = f"False alarms: {_of(len(each.alarms), each.n_alarms)}"
        missed = f"Missed: {_of(len(each.missed), each.n_missed)}"
        kinds = [
            (alarms, [shown(error, "false alarm") for error in each.alarms]),
            (missed, [shown(error, "missed") for error in each.missed]),
        ]
        shelves.append(Shelf(finding_name(each.finding), decimal(each.threshold), kinds))
    return Gallery(name, shelves, off if drawn is None else drawn.note)


def _of(shown: int, there: int) -> str:
    return f"{shown} of {grouped(there)}" if there else "none"
