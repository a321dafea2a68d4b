"""Rows of what comparison.json says of recipes: metrics, contrasts, seeds, findings, groups, levels, floor, costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chestxpert.report.evidence.stored import part
from chestxpert.report.files.tidy import Record, entry, estimates
from chestxpert.report.results import Results
from chestxpert.report.stored_values import Contrast


def _who(results: Results, name: str) -> Record:
    if name in results.externals:
        return {"recipe": name, "side": "external", "kind": "external"}
    side = "hierarchical" if results.hierarchical(name) else "flat"
    return {"recipe": name, "side": side, "kind": part(results.recipe(name), "derived").get("kind", "trained")}


def recipes(results: Results) -> Iterator[Record]:
    """Every metric over all findings of every line, on test, and the same on validation."""
    for name in results.everything:
        stored = results.recipe(name)
        validation = part(stored, "validation")
        for row in estimates(stored.get("metrics"), **_who(results, name)):
            yield row | {"validation": validation.get(row["metric"])}


def contrasts(results: Results) -> Iterator[Record]:
    """Every difference of two recipes, or of another tool and the baseline, with all its intervals and tests."""
    yield from map(_contrast, results.contrasts)


def derived_contrasts(results: Results) -> Iterator[Record]:
    """Every difference of a derived line and what it was made of."""
    yield from map(_contrast, results.derived_contrasts)


def _contrast(contrast: Contrast) -> Record:
    return {**entry(contrast.more), "shown": contrast.clear}


def seeds(results: Results) -> Iterator[Record]:
    """Every metric of every single seed."""
    for name in results.everything:
        numbers = results.seeds(name)
        for metric, stored in part(results.recipe(name), "metrics").items():
            values = part(stored).get("per_seed") or ()
            if len(values) == len(numbers):
                for seed, value in zip(numbers, values, strict=True):
                    yield {"recipe": name, "metric": metric, "seed": seed, "value": value}


def derived(results: Results) -> Iterator[Record]:
    """What was done to each run of a derived line: constants of its corrections, an answer of the network a row."""
    for name in results.everything:
        own = part(results.recipe(name), "derived")
        for run, done in enumerate(own.get("runs", ())):
            for answer, constants in part(done, "answers").items():
                yield {"recipe": name, "of": " ".join(own.get("of", ())), "run": run, "answer": answer,
                       **entry(constants)}  # fmt: skip


def findings(results: Results) -> Iterator[Record]:
    """Every metric of every finding."""
    for name in results.everything:
        yield from _findings(results.recipe(name), recipe=name)


def _findings(stored: Mapping[str, object], **keys: str) -> Iterator[Record]:
    for finding, values in part(stored, "per_label").items():
        told = {key: values[key] for key in ("n_positive", "n_known") if key in values}
        yield from estimates(values, **keys, finding=finding, **told)


def thresholds(results: Results) -> Iterator[Record]:
    """Every threshold, one a seed, as chosen on validation; where `recipe` is empty, that of the shortcut floor."""
    stored = {name: (results.recipe(name), results.seeds(name)) for name in results.lines}
    stored[""] = (part(results.comparison, "floor"), [])
    for name, (values, numbers) in stored.items():
        for finding, own in part(values, "per_label").items():
            chosen = own.get("thresholds") or ()
            for run, threshold in enumerate(chosen):
                seed = numbers[run] if len(chosen) == len(numbers) else run
                yield {"recipe": name, "finding": finding, "seed": seed, "threshold": threshold}


def groups(results: Results) -> Iterator[Record]:
    """Every metric of every recipe in each frequency group."""
    stored = part(results.comparison, "groups")
    for name, own in part(stored, "recipes").items():
        for group, values in own.items():
            keys = {"recipe": name, "group": group, "prevalence": part(stored, "prevalence").get(group)}
            yield from estimates(values, **keys)


def levels(results: Results) -> Iterator[Record]:
    """Means of each level of the tree (`node` is empty), each inner node, and hierarchical metrics of a level.

    Where `recipe` is empty, they are the shortcut floor's.
    """
    of_recipes = {name: part(results.recipe(name), "levels") for name in results.members}
    for name, stored in (of_recipes | {"": part(results.comparison, "floor", "levels")}).items():
        for level, values in part(stored, "means").items():
            yield from estimates(values, recipe=name, level=level, node="", n_nodes=values.get("n_nodes"))
        for node, values in part(stored, "inner").items():
            keys = {"level": values.get("level"), "node": node, "n_positive": values.get("n_positive")}
            yield from estimates(values, recipe=name, **keys)
        for level, values in part(stored, "hierarchical").items():
            for row in estimates(values, recipe=name, level=level, node=""):
                yield row | {"metric": f"hierarchical_{row['metric']}"}


def floor(results: Results) -> Iterator[Record]:
    """What view, age and sex alone reach (`recipe` is empty), and how far recipes are above it."""
    stored = part(results.comparison, "floor")
    yield from estimates(stored.get("metrics"), quantity="floor", recipe="", finding="")
    yield from _findings(stored, quantity="floor", recipe="")
    for name, values in part(stored, "above").items():
        yield from estimates(values, quantity="above", recipe=name, finding="")
        yield from _findings(values, quantity="above", recipe=name)


def costs(results: Results) -> Iterator[Record]:
    """Every cost, and of a cascade the share of images that each network is asked of; means over seeds."""
    for name in [*results.recipes, *results.ensembles]:
        for cost, value in part(results.recipe(name), "cost").items():
            if isinstance(value, Mapping):
                yield from (
                    {"recipe": name, "cost": cost, "network": network, "value": share}
                    for network, share in value.items()
                )
            else:
                yield {"recipe": name, "cost": cost, "network": "", "value": value}
