"""Tables without a figure: what recipes do at their thresholds, and how far two sources of labels agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.report.evidence.stored import detailed, number, part
from chestxpert.report.external import coverage_words, half_words, is_partial
from chestxpert.report.figure import Table
from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import decimal, grouped, percent
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import and_words

_POINTS = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "mcc": "MCC",
    "sensitivity_at_90": "sensitivity at specificity .90",
    "sensitivity_at_95": "sensitivity at specificity .95",
    "partial_auroc": "partial AUROC",
}
_RATES = {"kappa": "Cohen's kappa", "ppv": "PPV", "sensitivity": "sensitivity"}


def operating_tables(results: Results, labels: Sequence[str]) -> list[Table]:
    """What each recipe does on average, then the best of each side label by label; empty if nothing is recorded."""
    recipes = part(results.comparison, "operating", "recipes")
    if not recipes:
        return []
    rows = []
    for name, values in recipes.items():
        means = [Estimate.of(part(values, "macro").get(key)).words() for key in _POINTS]
        rows.append([name, *means, Estimate.of(part(values, "overall").get("ranking_loss")).words()])
    whole = Table(["recipe", *_POINTS.values(), "ranking loss"], rows, note="Means over labels")
    return [whole, *(_points(results, name, labels) for name in detailed(results, recipes))]


def _points(results: Results, name: str, labels: Sequence[str]) -> Table:
    rows = []
    for label in labels:
        entry = part(results.comparison, "operating", "recipes", name, "per_label", label)
        precision = results.label(name, label, "precision").words()
        threshold = decimal(number(results.recipe(name), "per_label", label, "threshold"))
        points = [Estimate.of(entry.get(key)).words() for key in _POINTS]
        rows.append([finding_name(label), threshold, points[0], points[1], precision, *points[2:]])
    head = ["finding", "threshold", *list(_POINTS.values())[:2], "precision", *list(_POINTS.values())[2:]]
    return Table(head, rows, note=name)


def agreement_tables(results: Results, labels: Sequence[str]) -> list[Table]:
    """Counts and rates of both sources of labels, then recipes measured against each; empty without a second one."""
    stored = part(results.comparison, "agreement")
    each = part(stored, "per_label")
    if not each:
        return []
    counts = ("both", "only_here", "only_there", "neither")
    rows = [
        [finding_name(label), *(grouped(number(each, label, key) or 0) for key in counts),
         *(Estimate.of(part(each, label).get(key)).words() for key in _RATES)]
        for label in labels if label in each
    ]  # fmt: skip
    head = ["finding", "both", "only here", f"only {stored.get('source', 'there')}", "neither", *_RATES.values()]
    measured = {name: values for name, values in part(stored, "recipes").items() if values}
    return [Table(head, rows), *([_measured_twice(measured)] if measured else [])]


def _measured_twice(measured: Mapping[str, Any]) -> Table:
    rows = []
    for name, values in measured.items():
        cells = []
        for metric in ("auroc", "ap", "f1"):
            cells += [_value_words(part(values, side, "macro", metric)) for side in ("here", "there")]
        rows.append([name, grouped(number(values, "here", "images") or 0), *cells])
    head = ["recipe", "test images", *["this data set", "the other"] * 3]
    groups = [("", 2), ("AUROC", 2), ("average precision", 2), ("F1", 2)]
    return Table(head, rows, note="Means over the findings that both sources measure, first seed", groups=groups)


def _value_words(values: Mapping[str, Any]) -> str:
    return Estimate.of({**values, "mean": values.get("value")}).words()


def agreement_words(results: Results) -> str:
    """What was held against what, in a sentence; empty without a second source."""
    stored = part(results.comparison, "agreement")
    if not stored:
        return ""
    missing = [finding_name(label) for label in stored.get("not_named", ())]
    return (
        f"{grouped(number(stored, 'images') or 0)} images of {grouped(number(stored, 'patients') or 0)} patients carry "
        f"labels of this data set and of {stored.get('source', 'another source')}. PPV is the share of this data set's "
        "positives that the other source confirms, sensitivity the share of the other's that this data set has."
        + (f" The other source says nothing of {', '.join(missing)}." if missing else "")
    )


def floor_words(results: Results) -> str:
    """What the table of patients alone reaches, and whether the best recipes are above it; empty without a floor."""
    stored, sentence = part(results.comparison, "floor"), floor_sentence(results)
    above = [_above_words(results, name) for name in detailed(results, part(stored, "above"))]
    return " ".join([sentence, *above])


def _above_words(results: Results, name: str) -> str:
    """Only an interval that lies above 0 shows that a line is above the floor."""
    lead = Estimate.of(part(results.comparison, "floor", "above", name).get("macro_auroc_findings"))
    coverage = results.external(name).get("coverage", {})
    on = f" For this both were measured on {coverage_words(coverage)}." if is_partial(coverage) else ""
    if lead.low is not None and lead.low > 0:
        return f"{name} is above it by {lead.words()}.{on}"
    return f"{name} is not shown to be above it; the difference is {lead.words()}.{on}"


def floor_sentence(results: Results) -> str:
    """What the table of patients alone reaches; empty without a floor."""
    stored = part(results.comparison, "floor")
    if not stored:
        return ""
    named = dict.fromkeys(str(name).split("=")[0].split()[0] for name in stored.get("features", ()))
    auroc = Estimate.of(part(stored, "metrics").get("macro_auroc_findings"))
    return (
        f"The shortcut floor: a logistic regression on {and_words(list(named))} alone, without an image, reaches a "
        f"macro AUROC over the findings of {auroc.words()}."
    )


def threshold_words(results: Results) -> str:
    """By which rule thresholds were chosen, and what partial AUROC is; empty where it is not recorded."""
    fpr = number(results.comparison, "operating", "partial_auroc", "max_fpr")
    sentence = rule_sentence(results)
    if not sentence:
        return ""
    return sentence + half_words(results) + (
        f" Partial AUROC is the area up to a false-positive rate of {percent(fpr, 0)}, scaled so that 0.5 says nothing "
        "and 1 is perfect." if fpr is not None else ""
    )  # fmt: skip


def rule_sentence(results: Results) -> str:
    """By which rule thresholds were chosen; empty where it is not recorded."""
    sentence = part(results.comparison, "operating").get("sentence")
    return f"Thresholds were chosen on validation: {sentence}." if sentence else ""
