"""The head of the page: where a data set comes from, its size, and what stands out in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from chestxpert.dataset import Dataset
from chestxpert.report.dataset.shift import Shift
from chestxpert.report.dataset.subject import TRAIN_VAL, Subject
from chestxpert.report.figure import Table
from chestxpert.report.provenance import NIH, source_paths
from chestxpert.report.results import finding_name
from chestxpert.report.scales import decimal, grouped, percent, signed
from chestxpert.report.words import times

SPLIT_WORDS = {
    "official": "official: the test list stays test, validation is cut from the rest by patient",
    "tables": "as its tables say, with every patient on one side",
    "random": "random by patient, stratified over findings",
    "test": "not at all: every image is for testing",
}


def facts(subject: Subject) -> list[str]:
    """The size of the data set in a few words."""
    cohort = subject.cohort
    space = cohort.label_space
    kind = "simulated images" if cohort.simulated else "images"
    return [
        f"{grouped(len(cohort))} {kind} of {grouped(cohort.n_patients())} patients",
        f"{len(space)} labels of {space.name}",
        f"images per patient: {decimal(len(cohort) / cohort.n_patients(), 2)}",
    ]


def stands_out(subject: Subject, shifts: Mapping[str, Shift], remarks: pd.DataFrame | None) -> list[str]:
    """Sentences for the top of the page: the tail, the shift to test, images a patient, and quality."""
    return [*_tail(subject), *_shifted(shifts), *_per_patient(subject), *_unknown(subject), _quality(remarks)]


def _tail(subject: Subject) -> list[str]:
    train = subject.tally(("train",))
    found = [label for label in subject.findings if train.counts[label]]
    if not found:
        return []
    most, least = found[0], found[-1]
    none = [finding_name(label) for label in subject.findings if not train.counts[label]]
    lack = f" No training image carries {', '.join(none)}." if none else ""
    if len(found) == 1:
        return [f"{finding_name(most)} is the only finding of the training images.{lack}"]
    ratio = train.counts[most] / train.counts[least]
    return [
        f"{finding_name(most)} is {decimal(ratio, 0 if ratio >= 10 else 1)} times as frequent in training as "
        f"{finding_name(least)} ({grouped(train.counts[most])} to {grouped(train.counts[least])} images).{lack}"
    ]


def _shifted(shifts: Mapping[str, Shift]) -> list[str]:
    clear = {label: shift for label, shift in shifts.items() if shift.clear}
    if not shifts:
        return []
    if not clear:
        return [f"No shift of prevalence from training to test is shown for any of the {len(shifts)} labels."]
    label = max(clear, key=lambda each: abs(clear[each].difference[0]))
    shift = clear[label]
    return [
        f"{len(clear)} of {len(shifts)} labels occur more or less often in test than in training and validation, "
        f"{finding_name(label)} most of all: {percent(shift.before)} there, {percent(shift.after)} in test "
        f"({signed(100 * shift.difference[0], 1)} points)."
    ]


def _per_patient(subject: Subject) -> list[str]:
    sides = [subject.table.iloc[subject.rows(splits)] for splits in (TRAIN_VAL, ("test",))]
    if not all(map(len, sides)):
        return []
    means = [decimal(len(side) / side["patient_id"].nunique(), 2) for side in sides]
    return [f"On average a patient has {means[0]} images in training and validation, and {means[1]} in test."]


def _unknown(subject: Subject) -> list[str]:
    unknown = subject.unknown
    if not unknown:
        return []
    most = max(unknown, key=lambda label: unknown[label])
    return [
        f"{len(unknown)} labels are not known of every image, {finding_name(most)} of {grouped(unknown[most])}; shares "
        "are those of the images where they are."
    ]


def _quality(remarks: pd.DataFrame | None) -> str:
    if remarks is None:
        return "The data set was prepared without quality control."
    if not len(remarks):
        return "Quality control has no remarks."
    images = remarks["image_id"].nunique()
    return f"Quality control has {times(len(remarks), 'remark')} on {times(images, 'image')}."


def origin_table(dataset: Dataset) -> Table:
    """Where the data set comes from and how it was made; what its ``dataset.json`` does not say is left out."""
    info, arguments = dataset.info, _mapping(dataset.info.get("arguments"))
    source, prints = _mapping(info.get("source")), _mapping(info.get("fingerprints"))
    cohort, space = dataset.cohort, dataset.cohort.label_space
    split = str(info.get("split", ""))
    rows = [
        ["source", ", ".join(source_paths(source))],
        ["images", NIH if (cohort.table["source"] == "nih").any() else ""],
        ["made by", f"ChestXpert {info['chestxpert']}" if "chestxpert" in info else ""],
        ["label space", f"{space.name}: {', '.join(map(finding_name, space.labels))}"],
        ["split", SPLIT_WORDS.get(split, split)],
        ["stored images", f"{dataset.store.size} x {dataset.store.size} pixels, 8-bit grey"],
        ["boxes", grouped(int(info["boxes"])) if "boxes" in info else ""],
        ["arguments", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in arguments.items())],
        ["fingerprint of the cohort", cohort.fingerprint],
        ["fingerprint of the pixels", str(prints.get("store", ""))],
    ]
    return Table(["", ""], [row for row in rows if row[1]], words=2)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
