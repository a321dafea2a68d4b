"""Collection, labels, preprocessing and quality of a data set, as far as its folder records them."""

from __future__ import annotations

import pandas as pd

from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset
from chestxpert.prepare import REJECTS
from chestxpert.quality import CHECKS, leaks
from chestxpert.quality.summary import count_checks, leak_sentence
from chestxpert.report.build import unknown_words
from chestxpert.report.cards.markdown import Section, bullets, table
from chestxpert.report.cards.people import dataset_name, is_nih
from chestxpert.report.dataset.left_out import left_out_table
from chestxpert.report.dataset.remarks import read_remarks
from chestxpert.report.evidence.stored import part
from chestxpert.report.figure import Table
from chestxpert.report.methods.write import FITS
from chestxpert.report.provenance import NIH, source_paths
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped
from chestxpert.report.words import and_words, times


def collection_section(dataset: Dataset) -> Section:
    """Where its images come from."""
    source = part(dataset.info, "source")
    paths = source_paths(source)
    found = [
        f"Images: {dataset_name(dataset.cohort)}.",
        *([f"Their source: {NIH}."] if is_nih(dataset.cohort) else []),
        f"Format of the source: {source.get('kind') or 'not recorded'}.",
        f"Files it was prepared from: {', '.join(paths) or 'not recorded'}.",
        _when(dataset.cohort),
    ]
    return Section("Collection", [bullets(found)])


def _when(cohort: Cohort) -> str:
    if cohort.simulated:
        return "Time, consent and review: there are no patients behind drawings."
    return "When and how the images were taken, who consented, and which board reviewed it: not recorded."


def labels_section(dataset: Dataset) -> Section:
    """Which labels there are, who gave them, what is unknown, and how far they are right."""
    cohort = dataset.cohort
    space = cohort.label_space
    names = and_words([finding_name(label) for label in space.labels])
    found = [f"Labels of {space.name}, which do not exclude each other: {names}.", _who_labelled(cohort)]
    if space.no_finding is not None:
        name = finding_name(space.no_finding)
        found.append(f"{name} means that none of the other labels was named; it does not mean healthy.")
    found.append(unknown_words(cohort) or "Unknown labels: none; each label is given for every image.")
    found.append(
        "Label noise: not recorded; the simulator adds as much as it is asked for."
        if cohort.simulated
        else "Label noise: not measured here ('chestxpert agree' holds the labels of a study against another source)."
    )
    return Section("Labels and who gave them", [bullets(found)])


def _who_labelled(cohort: Cohort) -> str:
    if cohort.simulated:
        return "Who labelled: the simulator, which drew the findings."
    if is_nih(cohort):
        return (
            "Who labelled: software that mined radiology reports (Wang et al., CVPR 2017), not readers of the images. "
            "Labels contain errors."
        )
    return "Who labelled, and from what: not recorded."


def preprocessing_section(dataset: Dataset) -> Section:
    """What was done to an image, and what was left out."""
    preprocess = dataset.store.preprocess
    grey = (
        "stretched from minimum to maximum in each image" if preprocess.grey == "minmax" else "kept as they were stored"
    )
    done = [
        f"Images were {FITS.get(preprocess.fit, preprocess.fit)} and brought to {preprocess.size} x {preprocess.size} "
        "pixels by area averaging, 8 bits a pixel.",
        f"Grey values were {grey}.",
        "The original files are not part of it.",
    ]
    if not (dataset.folder / REJECTS).is_file():
        return Section("Preprocessing", [bullets([*done, "What was left out: not recorded."])])
    rejects = left_out_table(dataset.folder)
    if not rejects.rows:
        return Section("Preprocessing", [bullets([*done, "Left out: nothing."])])
    left_out = f"What was left out is listed one by one in {REJECTS}."
    return Section("Preprocessing", [bullets([*done, left_out]), table(rejects)])


def quality_section(dataset: Dataset) -> Section:
    """Remarks of quality control by check, and whether a radiograph is in two splits."""
    remarks = read_remarks(dataset.folder)
    if remarks is None:
        told = ["Quality control: not measured; the data set was prepared without it.", _LEAKS_UNKNOWN]
        return Section("Quality", [bullets(told)])
    counts = count_checks(remarks)
    leak = leak_sentence(leaks(remarks, dataset.cohort))
    rows = [[check, CHECKS[check].meaning, grouped(count)] for check, count in counts.items()]
    found = Table(["check", "means", "remarks"], rows, words=2)
    told = [
        f"{times(sum(counts.values()), 'remark')} on {times(len(dataset.cohort), 'image')}. Nothing was left out on "
        "their account.",
        leak or "Leaks: no pair of images that quality control found alike is in two splits.",
        *(f"{check}: {detail}" for check, detail in _general(remarks)),
    ]
    if silent := [check for check in CHECKS if check not in set(remarks["check"])]:
        told.append(f"Without a remark: {', '.join(silent)}.")
    return Section("Quality", [bullets(told), table(found) if rows else ""])


_LEAKS_UNKNOWN = "Leaks: whether one radiograph is in two splits under two patient ids was not looked for."


def _general(remarks: pd.DataFrame) -> list[tuple[str, str]]:
    """Remarks about a check itself: why it was not made, or not in full."""
    frame = remarks[remarks["image_id"] == ""]
    return list(zip(frame["check"], frame["detail"], strict=True))
