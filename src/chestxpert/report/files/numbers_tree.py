"""Rows of what happens along a tree: cases lost, confusion at every node, case by case, and perfect decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chestxpert.report.evidence.stored import part
from chestxpert.report.files.tidy import Record, entry, estimates
from chestxpert.report.results import Results


def tree(results: Results) -> Iterator[Record]:
    """What became of the test cases of each finding: found, or lost at which decision; images, means over seeds."""
    for name in results.members:
        for finding, values in part(results.recipe(name), "tree", "findings").items():
            keys = {"recipe": name, "finding": finding, "n": values.get("n")}
            yield {**keys, "fate": "found", "decision": "", "images": values.get("found")}
            for place, images in part(values, "lost").items():
                yield {**keys, "fate": "lost", "decision": place, "images": images}


def confusion(results: Results) -> Iterator[Record]:
    """Counts at every node: where its parent truly holds (`given_parent`), and under hard routing (`routed`)."""
    for name in results.recipes:
        for node, values in part(results.recipe(name), "tree", "nodes").items():
            for how in ("given_parent", "routed"):
                if values.get(how):
                    yield {"recipe": name, "decision": values.get("decision"), "node": node, "counted": how,
                           **entry(values[how])}  # fmt: skip


def cases(results: Results) -> Iterator[Record]:
    """Cases of each hierarchy against each flat recipe: counts, and differences of recall with their intervals.

    Where `against` is empty, a recipe stands for itself, a flat one too.
    """
    for name, findings in part(results.comparison, "diagnosis", "flat").items():
        for finding, values in part(findings).items():
            yield from _quantities(values, recipe=name, against="", finding=finding)
    for name, own in part(results.comparison, "diagnosis", "recipes").items():
        places = {"": part(own, "macro"), **part(own, "findings")}
        for finding, values in places.items():
            for flat, each in part(values, "against").items():
                yield from _quantities(each, recipe=name, against=flat, finding=finding)
            yield from _quantities(
                {key: value for key, value in values.items() if key != "against"},
                recipe=name, against="", finding=finding,
            )  # fmt: skip


def _quantities(values: Mapping[str, object], **keys: object) -> Iterator[Record]:
    """A row a number or an estimate, however deep: its name is the path to it."""
    for path, value in _leaves(values):
        told = entry(value) if isinstance(value, Mapping) else {"mean": value}
        yield {**keys, "quantity": path, **told}


def _leaves(values: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping) and "mean" not in value:
            yield from _leaves(value, f"{path}_")
        elif not isinstance(value, list | str):
            yield path, value


def perfect(results: Results) -> Iterator[Record]:
    """What a perfect decision would be worth: as it is, with one perfect, the gain, and with all others perfect."""
    for name, own in part(results.comparison, "diagnosis", "recipes").items():
        stored = part(own, "perfect")
        yield from _state(part(stored, "as_it_is"), recipe=name, decision="")
        for place, values in part(stored, "decisions").items():
            yield from _state(values, recipe=name, decision=place)


def _state(values: Mapping[str, object], **keys: str) -> Iterator[Record]:
    for state in ("macro", "gain"):
        yield from estimates(values.get(state), **keys, state=state, finding="")
    for metric, value in part(values, "others_perfect").items():
        yield {**keys, "state": "others_perfect", "finding": "", "metric": metric, "mean": value}
    for finding, each in part(values, "findings").items():
        for metric, value in part(each).items():
            yield {**keys, "state": "finding", "finding": finding, "metric": metric, "mean": value}
