"""Evaluation data and training data: how many images, of whom, with which labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.report.build import unknown_words
from chestxpert.report.cards.markdown import Section, bullets, paragraph, sentences, table
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.cohort_table import cohort_table
from chestxpert.report.counts import Counts
from chestxpert.report.evidence.stored import number, part
from chestxpert.report.figure import Table
from chestxpert.report.figures_cohort import SPLITS
from chestxpert.report.methods.write import partition_words, preprocessing_words
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped, percent
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import times

SIMULATED = (
    "SIMULATED IMAGES. The images are drawings by the project's simulator, no radiographs. No figure here says "
    "anything about patients."
)


def data_sections(subject: CardSubject) -> list[Section]:
    """Evaluation data, then training data."""
    cohort = subject.cohort
    where = Section("Evaluation on other data sets", [bullets(_elsewhere(subject))])
    test = Section("Evaluation data", [
        paragraph(sentences(dataset_words(cohort), partition_words(subject.study))),
        paragraph(preprocessing_words(subject.study, subject.recorded) or "Preprocessing: not recorded."),
        paragraph(unknown_words(cohort)),
    ], [where])  # fmt: skip
    train = Section("Training data", [
        paragraph("The images come from the data set above; test images were not among them."),
        table(cohort_table(cohort)), table(counts_table(cohort)), paragraph(_copies(cohort)),
    ])  # fmt: skip
    return [test, train]


def dataset_name(cohort: Cohort) -> str:
    """What the images are called."""
    sources = sorted({str(source) for source in cohort.table["source"]})
    if sources == ["simulated"]:
        return "drawings by the simulator, no radiographs"
    names = ["NIH ChestX-ray14" if source == "nih" else source for source in sources]
    return ", ".join(names)


def dataset_words(cohort: Cohort) -> str:
    """Size and source of a data set, and where its labels are from as far as that is known."""
    mined = " Labels were mined from radiology reports and contain errors." if is_nih(cohort) else ""
    return f"{times(len(cohort), 'image')} of {times(cohort.n_patients(), 'patient')}: {dataset_name(cohort)}.{mined}"


def is_nih(cohort: Cohort) -> bool:
    """Whether any image is of NIH ChestX-ray14."""
    return bool((cohort.table["source"] == "nih").any())


def counts_table(cohort: Cohort) -> Table:
    """Images with each label, by split, with the share of those of which it is known."""
    counts = Counts.of(cohort)
    shares = {split: counts.shares(split) for split in SPLITS}
    rows = [
        [finding_name(label), *(cell for split in SPLITS
                                for cell in (grouped(counts.by_split[split][label]), percent(shares[split][label])))]
        for label in counts.labels
    ]  # fmt: skip
    heads = ["finding", *(head for _ in SPLITS for head in ("images", "share"))]
    return Table(heads, rows, note="Images with each finding", groups=[("", 1), *((w, 2) for w in SPLITS.values())])


def _copies(cohort: Cohort) -> str:
    copies = int((cohort.table["origin"] != "").sum())
    return f"{times(copies, 'training image')} are augmented copies of others, and are counted." if copies else ""


def _elsewhere(subject: CardSubject) -> list[str]:
    """What stored evaluations of its runs on other data sets say, one a line."""
    found = [_one_elsewhere(name, seed, values) for name, seed, values in _evaluations(subject)]
    return [each for each in found if each] or ["Not measured: none is stored with its runs."]


def _evaluations(subject: CardSubject) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for name, runs in subject.runs.items():
        for seed in runs:
            folder = subject.study.folder if subject.alone else subject.study.folder / "runs" / name / f"seed-{seed}"
            for file in sorted((folder / "evaluations").glob("*/evaluation.json")):
                yield name, seed, _values(file)


def _values(file: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, Mapping) else {}


def _one_elsewhere(name: str, seed: int, values: Mapping[str, Any]) -> str:
    here, auroc = part(values, "here"), part(values, "here", "macro", "auroc")
    if not here:
        return ""
    kind = "simulated images" if values.get("simulated") else "images"
    where = "" if values.get("external") else ", NOT external: it has patients or images in common"
    mean = Estimate.of({**auroc, "mean": auroc.get("value")}).words()
    images, patients = (grouped(number(here, key) or 0) for key in ("images", "patients"))
    return (
        f"{name}, seed {seed}, on {part(values, 'data').get('name', 'not named')} ({images} {kind} of {patients} "
        f"patients{where}): macro AUROC {mean} over "
        f"{times(len(values.get('shared') or ()), 'finding')} that both have."
    )
