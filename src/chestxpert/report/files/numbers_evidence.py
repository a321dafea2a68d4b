"""Rows of what an evaluation says beyond the comparison: operating points, calibration, subgroups, agreement."""

from __future__ import annotations

from collections.abc import Iterator

from chestxpert.report.evidence.stored import part
from chestxpert.report.files.tidy import Record, entry, estimates
from chestxpert.report.results import Results


def operating(results: Results) -> Iterator[Record]:
    """Every operating point: of a finding, or over all of them (`over` is ``macro`` or ``overall``)."""
    for name, own in part(results.comparison, "operating", "recipes").items():
        for over in ("macro", "overall"):
            yield from estimates(own.get(over), recipe=name, over=over, finding="")
        for finding, values in part(own, "per_label").items():
            yield from estimates(values, recipe=name, over="finding", finding=finding)


def decision(results: Results) -> Iterator[Record]:
    """Decision curves: net benefit of a model, its lead, and of acting on all images (`recipe` is empty)."""
    stored = part(results.comparison, "operating", "net_benefit")
    at = stored.get("thresholds", ())
    for finding, values in part(stored, "treat_all").items():
        for threshold, value in zip(at, values, strict=False):
            yield {"recipe": "", "finding": finding, "curve": "treat_all", "threshold": threshold, "mean": value}
    for name, own in part(stored, "recipes").items():
        for finding, curves in own.items():
            for curve, values in curves.items():
                yield from _along("threshold", at, values, recipe=name, finding=finding, curve=curve)


def _along(column: str, at: object, values: object, **keys: object) -> Iterator[Record]:
    """A row a place of lists that run along it; `at` names the places."""
    columns = {key: value for key, value in part(values).items() if isinstance(value, list)}
    for place, name in enumerate(at if isinstance(at, list | range) else ()):
        yield {**keys, column: name, **{key: value[place] for key, value in columns.items() if place < len(value)}}


def calibration(results: Results) -> Iterator[Record]:
    """Calibration errors and fits: of a finding, or over all (`over` is ``macro`` or ``median``)."""
    for name, own in part(results.comparison, "calibration", "recipes").items():
        yield from estimates(own.get("macro"), recipe=name, over="macro", finding="")
        for metric, value in part(own, "median").items():
            yield {"recipe": name, "over": "median", "finding": "", "metric": metric, "mean": value}
        for finding, values in part(own, "per_label").items():
            yield from estimates(values, recipe=name, over="finding", finding=finding)


def calibration_bins(results: Results) -> Iterator[Record]:
    """The bins of the reliability diagrams, of one seed."""
    for name, own in part(results.comparison, "calibration", "reliability").items():
        for finding, values in part(own, "per_label").items():
            bins = range(len(part(values).get("n", ())))
            yield from _along("bin", bins, values, recipe=name, seed=own.get("seed"), finding=finding)


def subgroups(results: Results) -> Iterator[Record]:
    """Every metric in every subgroup: of a finding, or the mean over those that all groups measure.

    Where `recipe` is empty, it is the shortcut floor's.
    """
    stored = part(results.comparison, "subgroups", "recipes")
    for name, partitions in {**stored, "": part(results.comparison, "floor", "subgroups")}.items():
        for by, own in partitions.items():
            for group, values in part(own, "groups").items():
                keys = {"recipe": name, "by": by, "group": group, "images": values.get("images"),
                        "patients": values.get("patients")}  # fmt: skip
                yield from estimates(values.get("macro"), **keys, over="macro", finding="")
                for finding, each in part(values, "per_label").items():
                    told = {key: each.get(key) for key in ("n_positive", "prevalence", "enough")}
                    yield from estimates(each, **keys, over="finding", finding=finding, **told)


def subgroups_gaps(results: Results) -> Iterator[Record]:
    """Every gap: a group minus the reference, on the same draws."""
    for name, partitions in part(results.comparison, "subgroups", "recipes").items():
        for by, own in partitions.items():
            for group, values in part(own, "gaps").items():
                keys = {"recipe": name, "by": by, "group": group, "reference": own.get("reference")}
                yield from estimates(values.get("macro"), **keys, over="macro", finding="")
                for finding, each in part(values, "per_label").items():
                    yield from estimates(each, **keys, over="finding", finding=finding)


def agreement(results: Results) -> Iterator[Record]:
    """Counts of both sources of labels beside each rate of their agreement."""
    for finding, values in part(results.comparison, "agreement", "per_label").items():
        counts = {key: value for key, value in part(values).items() if not isinstance(value, dict)}
        yield from estimates(values, "rate", finding=finding, **counts)


def agreement_recipes(results: Results) -> Iterator[Record]:
    """Recipes measured against either source of labels (`labels` is ``here`` or ``there``)."""
    for name, sides in part(results.comparison, "agreement", "recipes").items():
        for labels, values in part(sides).items():
            keys = {"recipe": name, "labels": labels, "images": part(values).get("images")}
            for metric, value in part(values, "macro").items():
                yield {**keys, "finding": "", "metric": metric, **_measured(value)}
            for finding, each in part(values, "per_label").items():
                for metric, value in part(each).items():
                    if isinstance(value, dict):
                        yield {**keys, "finding": finding, "metric": metric, **_measured(value)}


def _measured(value: object) -> Record:
    """An estimate of one seed calls its value so; here it is under the name that all others have."""
    own = entry(value)
    return {"mean": own.pop("value", None), **own}
