"""Sample images of each finding: a draw of training images, each of another patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.report.dataset.subject import Subject
from chestxpert.report.results import finding_name
from chestxpert.report.scales import decimal, grouped

Picture = Callable[[str], str]
"""Gives the data URI of an image id, or an empty word."""


@dataclass(frozen=True)
class Sample:
    """One image as the page shows it."""

    uri: str
    alt: str
    image_id: str
    person: str
    others: str


@dataclass(frozen=True)
class Samples:
    """Drawn images of one label."""

    label: str
    group: str
    count: str
    images: list[Sample]


def draw_samples(subject: Subject, label: str, number: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw training images that carry a label, no two of one patient.

    Parameters
    ----------
    subject : Subject
    label : str
    number : int
        How many; fewer if there are fewer patients.
    seed : int
        What is drawn for a label depends on it and on the label's own images, not on the other labels.

    Returns
    -------
    (M,) int64 array
        Rows of `subject.table`, M <= number, in the order drawn.
    """
    train = subject.rows(("train",))
    rows = train[subject.truth[train, subject.labels.index(label)]]
    shuffled = np.random.default_rng(seed).permutation(rows)
    _, first = np.unique(subject.cohort.patients[shuffled].astype(str), return_index=True)
    return shuffled[np.sort(first)][:number]


def samples(subject: Subject, picture: Picture, number: int, seed: int) -> list[Samples]:
    """Samples of every label in the order shown; nothing is drawn from validation or test."""
    train = subject.tally(("train",)).counts
    return [
        Samples(
            finding_name(label),
            subject.groups[label],
            grouped(train[label]),
            [_sample(subject, label, int(row), picture) for row in draw_samples(subject, label, number, seed)],
        )
        for label in subject.labels
    ]


def _sample(subject: Subject, label: str, row: int, picture: Picture) -> Sample:
    entry = subject.table.iloc[row]
    kind = "Drawing, no radiograph" if entry["source"] == "simulated" else "Radiograph"
    age = "" if np.isnan(entry["age"]) else f"{decimal(float(entry['age']), 0)} years"
    person = ", ".join(word for word in (entry["sex"], age, entry["view"]) if word)
    others = [finding_name(each) for each in subject.labels if subject.truth[row, subject.labels.index(each)]]
    others.remove(finding_name(label))
    image_id = str(entry["image_id"])
    alt = f"{kind} {image_id}, training image with {subject.describe(row)}"
    return Sample(picture(image_id), alt, image_id, person, ", ".join(others))
