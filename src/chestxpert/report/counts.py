"""How often each label occurs, and the order in which a page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from chestxpert.cohort.table import SPLITS, Cohort


@dataclass(frozen=True)
class Counts:
    """How often each label occurs, among how many images that tell, and the order in which labels are shown.

    Most frequent in training first.
    """

    labels: list[str]
    findings: list[str]
    by_split: dict[str, dict[str, int]]
    known: dict[str, dict[str, int]]
    sizes: dict[str, int]

    @classmethod
    def of(cls, cohort: Cohort) -> Counts:
        """Counts of every split of a cohort."""
        by_split = {split: cohort.counts(split) for split in SPLITS}
        labels = sorted(cohort.label_space.labels, key=lambda label: -by_split["train"][label])
        findings = [label for label in labels if label != cohort.label_space.no_finding]
        known = {split: cohort.known_counts(split) for split in SPLITS}
        return cls(labels, findings, by_split, known, {split: len(cohort.rows(split)) for split in SPLITS})

    def shares(self, split: str) -> dict[str, float]:
        """Share of the images of a split that carry each label, among those that tell; 0 where none does."""
        return {label: self.by_split[split][label] / max(self.known[split][label], 1) for label in self.labels}
