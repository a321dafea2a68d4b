"""Rows of the cohort and of training: who is in each split, how often each finding is, and every epoch."""

from __future__ import annotations

from collections.abc import Iterator

from chestxpert.cohort.table import SPLITS
from chestxpert.report.files.tidy import Record
from chestxpert.report.read import StudyFolder


def cohort(study: StudyFolder) -> Iterator[Record]:
    """Counts of each split; shares of views and sexes are among what is known."""
    for split in SPLITS:
        rows = study.cohort.table[study.cohort.table["split"] == split]
        row: Record = {"split": split, "images": len(rows), "patients": int(rows["patient_id"].nunique())}
        row["copies"] = int((rows["origin"] != "").sum())
        for column, value in (("view", "AP"), ("view", "PA"), ("sex", "F"), ("sex", "M")):
            row[f"{column}_{value}"] = int((rows[column] == value).sum())
        ages = rows["age"].dropna()
        yield row | {"age_known": len(ages), "age_median": float(ages.median()) if len(ages) else None}


def distribution(study: StudyFolder) -> Iterator[Record]:
    """Images with each finding in each split, among those of which it is known."""
    for split in SPLITS:
        counts, known = study.cohort.counts(split), study.cohort.known_counts(split)
        for finding in study.cohort.label_space.labels:
            share = counts[finding] / known[finding] if known[finding] else None
            yield {"split": split, "finding": finding, "images": counts[finding], "known": known[finding],
                   "share": share}  # fmt: skip


def cooccurrence(study: StudyFolder) -> Iterator[Record]:
    """Images of every split that carry two findings; a finding with itself is how many carry it."""
    findings = study.cohort.label_space.findings
    labels = study.cohort.labels()[:, [study.cohort.label_space.index(finding) for finding in findings]].astype(int)
    together = labels.T @ labels
    for row, finding in enumerate(findings):
        for column, other in enumerate(findings):
            yield {"finding": finding, "other": other, "images": int(together[row, column])}


def learning(study: StudyFolder) -> Iterator[Record]:
    """Every epoch of every network of every run."""
    for name, runs in study.runs.items():
        for seed, run in runs.items():
            for line in run.history:
                plain = {key: value for key, value in line.items() if not isinstance(value, dict | list)}
                yield {"recipe": name, "seed": seed, **plain}
