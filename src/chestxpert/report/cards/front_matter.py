"""The head of a card that Hugging Face reads: YAML between two lines of dashes, of its own library's making."""

from __future__ import annotations

import re
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from chestxpert.cohort.table import Cohort
from chestxpert.errors import UsageError
from chestxpert.report.cards.people import dataset_name, is_nih
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.evidence.stored import number
from chestxpert.report.results import metric_name

TASK = "image-classification"
TASK_NAME = "Multi-label classification of chest radiographs"
_TYPES = {
    "macro_auroc": ("roc_auc", "macro"),
    "macro_auroc_findings": ("roc_auc", "macro"),
    "macro_ap": ("average_precision", "macro"),
    "macro_ap_findings": ("average_precision", "macro"),
    "macro_ap_head": ("average_precision", "macro"),
    "macro_ap_medium": ("average_precision", "macro"),
    "macro_ap_tail": ("average_precision", "macro"),
    "macro_f1": ("f1", "macro"),
    "macro_f1_findings": ("f1", "macro"),
    "micro_f1": ("f1", "micro"),
    "brier": ("brier_score", "macro"),
}
"""Metrics that go into the model index: Hugging Face's name of the metric, and how it is averaged over labels."""

_SIZES = {"n<1K": 1_000, "1K<n<10K": 10_000, "10K<n<100K": 100_000, "100K<n<1M": 1_000_000}
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def checked_licence(licence: str | None) -> str | None:
    """A licence's identifier as it was given; UsageError if it cannot be one."""
    if licence is not None and not _IDENTIFIER.fullmatch(licence):
        raise UsageError(
            f"A licence is named by its identifier on Hugging Face, such as apache-2.0, mit or other; got '{licence}'."
        )
    return licence


def model_front_matter(subject: CardSubject, licence: str | None) -> str:
    """Front matter of a model card, with the test figures as its model index."""
    data = ModelCardData(
        license=licence,
        library_name="chestxpert",
        pipeline_tag=TASK,
        tags=tags(subject.cohort, subject.line),
        model_name=subject.title,
        eval_results=results(subject) or None,
    )
    return _between_dashes(data.to_yaml())


def results(subject: CardSubject) -> list[EvalResult]:
    """Every metric of `_TYPES` that is defined, on the test images; its interval is among its arguments."""
    cohort = subject.cohort
    about: dict[str, Any] = {
        "task_type": TASK,
        "task_name": TASK_NAME,
        "dataset_type": ", ".join(sorted({str(source) for source in cohort.table["source"]})),
        "dataset_name": dataset_name(cohort),
        "dataset_split": "test",
        "dataset_revision": cohort.fingerprint,
        "dataset_args": {"images": len(cohort.rows("test")), "patients": cohort.n_patients("test")},
    }
    return [
        EvalResult(
            **about, metric_type=kind, metric_value=mean, metric_name=metric_name(metric),
            metric_args=_arguments(subject, metric, average),
        )
        for metric, (kind, average) in _TYPES.items()
        if (mean := subject.results.metric(subject.line, metric).mean) is not None
    ]  # fmt: skip


def _arguments(subject: CardSubject, metric: str, average: str) -> dict[str, Any]:
    """How a metric was averaged, over how many labels, of how many runs, and its 95 % interval over patients."""
    estimate, labels = (
        subject.results.metric(subject.line, metric),
        number(subject.entry, "metrics", metric, "n_defined"),
    )
    told: dict[str, Any] = {"average": average, "runs": subject.n_runs}
    if labels is not None:
        told["labels"] = int(labels)
    if estimate.low is not None and estimate.high is not None:
        told |= {"low": estimate.low, "high": estimate.high, "level": 0.95, "unit": "patient"}
    return told


def dataset_front_matter(cohort: Cohort, name: str, licence: str | None) -> str:
    """Front matter of a data card."""
    images = len(cohort)
    data = DatasetCardData(
        license=licence,
        annotations_creators="machine-generated" if is_nih(cohort) or cohort.simulated else None,
        size_categories=next((words for words, most in _SIZES.items() if images < most), "1M<n<10M"),
        task_categories=[TASK],
        task_ids=["multi-label-image-classification"],
        pretty_name=name,
        tags=tags(cohort),
    )
    return _between_dashes(data.to_yaml())


def tags(cohort: Cohort, line: str = "") -> list[str]:
    """Words that a search finds the card by; simulated images are called so."""
    drawn = ["simulated-images", "not-radiographs"] if cohort.simulated else ["chest-x-ray"]
    named = [re.sub(r"[^a-z0-9.+-]+", "-", line.lower()).strip("-")] if line else []
    return [*drawn, "multi-label", "long-tailed", "research-only", "not-a-medical-device", *filter(None, named)]


def _between_dashes(yaml: str) -> str:
    return f"---\n{yaml}\n---\n\n"
