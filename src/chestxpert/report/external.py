"""What page and terminal say of predictions that other tools made: where from, on what, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import grouped
from chestxpert.report.stored_values import Contrast
from chestxpert.report.words import and_words, times

ABSENT = (
    "What they cost, how they were trained and what from is not recorded, so they stand in no figure of costs or "
    "learning curves and have no recipe."
)


def whom(results: Results) -> str:
    """Whom figures of single findings draw, in words."""
    trained = "the best recipe of each side" if results.best else ""
    shown = [name for name in results.drawn if name in results.externals]
    left_out = len(results.externals) - len(shown)
    others = f"the predictions of {and_words(shown)}" if shown else ""
    more = f" ({left_out} more in the tables)" if left_out else ""
    return " and ".join(words for words in (trained, others) if words) + more


def is_partial(coverage: Mapping[str, Any]) -> bool:
    """Whether images or labels are missing from what a line, or a contrast, was measured on."""
    return bool(coverage.get("absent")) or coverage.get("images") != coverage.get("of_images")


def coverage_words(coverage: Mapping[str, Any]) -> str:
    """For example ``14 of 15 labels and 152 of 157 test images``; what is whole is not said."""
    labels, absent = int(coverage.get("labels", 0)), len(coverage.get("absent", ()))
    parts = [f"{labels} of {labels + absent} labels"] if absent else []
    if coverage.get("images") != coverage.get("of_images"):
        parts.append(f"{grouped(coverage['images'])} of {grouped(coverage['of_images'])} test images")
    return " and ".join(parts)


def dagger_of(results: Results, name: str) -> str:
    """A dagger for a line that was measured on less than all test images and labels."""
    return " \N{DAGGER}" if is_partial(results.external(name).get("coverage", {})) else ""


def dagger_on(contrast: Contrast) -> str:
    """A dagger for a contrast that was measured on less than all test images and labels."""
    shared = contrast.more.get("shared")
    return " \N{DAGGER}" if isinstance(shared, Mapping) and is_partial(shared) else ""


def shared_words(results: Results) -> str:
    """What the contrasts with a dagger were measured on; empty where there are none."""
    found = {
        contrast.a: coverage_words(contrast.more["shared"]) for contrast in results.contrasts if dagger_on(contrast)
    }
    if not found:
        return ""
    each = "; ".join(f"{name}: {words}" for name, words in found.items())
    return f" \N{DAGGER}: both sides measured anew on what both predict ({each})."


def half_words(results: Results) -> str:
    """Whose thresholds are one half, since they have no validation rows; empty where nobody's are."""
    names = [name for name in results.externals if results.external(name).get("thresholds_chosen_on") is None]
    return f" Those of {and_words(names)} are 0.5, for want of validation rows." if names else ""


def external_words(results: Results) -> list[str]:
    """A paragraph on each other tool's predictions: what was measured, what was not and why; empty without any."""
    return [f"{name}: {_words(results.external(name))}" for name in results.externals]


def _words(record: Mapping[str, Any]) -> str:
    coverage, missing = record.get("coverage", {}), record.get("missing", {})
    files = [f"{file['file']} ({times(file['rows'], 'row')})" for file in record.get("files", ())]
    sentences = [f"predictions of another tool, from {and_words(files)}"]
    if record.get("scale") == "logits":
        sentences.append("probabilities were made of its logits")
    if is_partial(coverage):
        sentences.append(
            f"measured on {coverage_words(coverage)}, so its means are not to be held beside those of others"
        )
    reasons: dict[str, list[str]] = {}
    for label, reason in record.get("not_measured", {}).items():
        reasons.setdefault(str(reason), []).append(finding_name(str(label)))
    sentences += [f"not measured: {and_words(labels)} ({reason})" for reason, labels in reasons.items()]
    sentences += [f"without a prediction: {times(count, f'{split} image')}" for split, count in missing.items()]
    sentences += _left_out(record)
    if record.get("thresholds_chosen_on") is None:
        sentences.append(
            "it has no validation rows, so every threshold is 0.5, and F1 and all else that needs one is at 0.5"
        )
    return ". ".join(_upper(sentence) if place else sentence for place, sentence in enumerate(sentences)) + "."


def _left_out(record: Mapping[str, Any]) -> list[str]:
    words = {
        "unknown-image": "of images that are not in the data set",
        "ambiguous-image": "that could be several images",
    }
    found = [
        f"left out: {times(count, 'row')} {words.get(reason, reason)}"
        for reason, count in record.get("rejected", {}).items()
    ]
    if record.get("training_rows"):
        found.append(f"left out: {times(record['training_rows'], 'row')} of training images")
    if record.get("unused_columns"):
        names = [f"'{name}'" for name in record["unused_columns"]]
        shown = names if len(names) <= 8 else [*names[:8], f"{len(names) - 8} more"]
        found.append(f"left out: columns that are no finding's: {and_words(shown)}")
    return [*found, *(str(note) for note in record.get("notes", ()))]


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def origin_rows(results: Results) -> list[list[str]]:
    """Rows of the table of provenance: each file with its digest, its findings, and when it was added."""
    rows = []
    for name in results.externals:
        record = results.external(name)
        files = "; ".join(
            f"{file['file']}, {grouped(file['rows'])} rows, SHA-256 {file.get('sha256') or 'not recorded'}"
            for file in record.get("files", ())
        )
        findings = and_words([finding_name(str(label)) for label in record.get("findings", ())])
        added = f"; added {record['added']}" if record.get("added") else ""
        rows.append([f"predictions of {name}", f"{files}; findings: {findings}{added}"])
    return rows


def methods_words(results: Results) -> str:
    """The paragraph of the methods section; empty without other tools' predictions."""
    if not results.externals:
        return ""
    each = " ".join(
        f"{name} predicted {times(len(record.get('findings', ())), 'label')} of "
        f"{times(int(record['coverage']['images']), 'test image')}."
        for name in results.externals
        for record in [results.external(name)]
    )
    return (
        f"The predictions of {and_words(results.externals)} were made by other tools and read from tables. {each} "
        "How these tools work, what they were trained on, whether images or patients of this study were among it, and "
        "how their inputs were prepared is not recorded here. Labels and images without a prediction were not "
        "measured, and each comparison is on what both sides predict."
    )
