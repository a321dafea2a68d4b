"""Model details: what it is, what it was trained with, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chestxpert.report.cards.markdown import Section, bullets, fenced, paragraph, table
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.evidence.stored import part
from chestxpert.report.figure import Table
from chestxpert.report.methods.bibliography import Cited
from chestxpert.report.methods.recorded import Recorded
from chestxpert.report.methods.training import model_words, training_words
from chestxpert.report.read import RunFolder
from chestxpert.report.results import finding_name
from chestxpert.report.scales import duration, grouped
from chestxpert.report.words import and_words, times
from chestxpert.taxonomy import draw_tree

NOT_RECORDED = "not recorded"


def details_section(subject: CardSubject, cited: Cited, licence: str | None = None) -> Section:
    """What the model is, with its recipes in full."""
    recorded = subject.recorded
    facts = [
        what_it_is(subject),
        f"Why this one: {subject.why}",
        f"Begun on: {_dates(recorded)}.",
        f"Made with: {_software(recorded)}.",
        f"Weights it began from: {_weights(recorded)}.",
        _output(subject),
        f"Licence: {licence}, as named by whoever asked for this card." if licence else "Licence: none was named.",
        "Whom to ask: not recorded.",
    ]
    trained = Section("How it was trained", [
        paragraph(model_words(recorded, cited)), paragraph(training_words(recorded, cited)),
        paragraph(_epochs(subject)), _tree(subject),
    ])  # fmt: skip
    cost = Section("What it costs", [table(_costs(subject)), paragraph(_frozen_words(recorded))])
    texts = [
        Section(f"Recipe {name}" if len(subject.recipes) > 1 else "Recipe", [fenced(_text(runs), "yaml")])
        for name, runs in subject.runs.items()
    ]
    return Section("Model details", [bullets(facts)], [trained, cost, *texts])


def what_it_is(subject: CardSubject) -> str:
    """Kind of the line, and of how many networks its figures are."""
    line, runs = subject.line, times(subject.n_runs, "run")
    if subject.alone:
        return f"One run of the recipe {line}. Other seeds are not part of it; what they change is not measured."
    if subject.kind == "posthoc":
        return f"{line}: predictions of {subject.base}, corrected after training. Figures are {_mean(subject)}."
    if subject.kind == "ensemble":
        average = str(subject.results.done(line)[0].get("average", NOT_RECORDED))
        return f"The ensemble {line}: {runs} of {and_words(subject.recipes)} in one prediction, the mean of {average}."
    return f"The recipe {line}: {_seeds(subject)}. Figures are {_mean(subject)}."


def _seeds(subject: CardSubject) -> str:
    seeds = subject.results.seeds(subject.line)
    return f"trained from {times(len(seeds), 'seed')} ({', '.join(map(str, seeds))})"


def _mean(subject: CardSubject) -> str:
    number = len(subject.seeds)
    if number > 1:
        return f"means over {number} seeds, not those of one of them"
    return "those of its one seed" if number else "those of one prediction"


def _dates(recorded: Recorded) -> str:
    dates = sorted({str(each["date"]) for each in recorded.environments if each.get("date")})
    missing = any(not each.get("date") for each in recorded.environments)
    return and_words([*dates, *([NOT_RECORDED if not dates else f"{NOT_RECORDED} of some runs"] if missing else [])])


def _software(recorded: Recorded) -> str:
    packages = [
        f"{name} {version}"
        for name in dict.fromkeys(name for each in recorded.environments for name in part(each, "packages"))
        if (version := recorded.environment("packages", name))
    ]
    parts = [f"ChestXpert {recorded.environment('chestxpert') or NOT_RECORDED}"]
    parts += [f"Python {python}"] if (python := recorded.environment("python")) else []
    where = [word for word in (recorded.environment("processor"), recorded.environment("device")) if word]
    return ", ".join([*parts, *packages]) + (f"; on {', '.join(where)}" if where else "")


def _weights(recorded: Recorded) -> str:
    """Source of the backbones' weights, with their fingerprint; random ones are called so."""
    found = dict.fromkeys(
        _one_backbone(backbone)
        for environment in recorded.environments
        for backbone in [part(environment, "backbone"), *_several(environment)]
        if backbone.get("name")
    )
    return and_words(list(found)) if found else NOT_RECORDED


def _several(environment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    backbones = part(environment, "backbones")
    return [part(backbones, network) for network in backbones]


def _one_backbone(backbone: Mapping[str, Any]) -> str:
    source = str(backbone.get("source") or NOT_RECORDED)
    source = "random numbers, not pretrained" if source.startswith("random") else source
    print_ = backbone.get("weights_fingerprint")
    return f"{backbone['name']} from {source}" + (f" (fingerprint {print_})" if print_ else "")


def _output(subject: CardSubject) -> str:
    labels = [finding_name(label) for label in subject.cohort.label_space.labels]
    return (
        f"Output: a probability for each of {len(labels)} labels, which do not exclude each other: {and_words(labels)}."
    )


def _epochs(subject: CardSubject) -> str:
    """How many epochs each network was trained for, of all stages together."""
    told = []
    for name, runs in subject.runs.items():
        counts: dict[str, list[int]] = {}
        for run in runs.values():
            networks = [str(line.get("network")) for line in run.history]
            for network in dict.fromkeys(networks):
                counts.setdefault(network, []).append(networks.count(network))
        told += [f"{name}, network {network}: {_range(numbers)}" for network, numbers in counts.items()]
    return f"Epochs that were run: {'; '.join(told)}." if told else f"Epochs that were run: {NOT_RECORDED}."


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _tree(subject: CardSubject) -> str:
    """The tree that it goes down, drawn; empty for a flat network."""
    trees = [run.predictions.taxonomy for runs in subject.runs.values() for run in runs.values()]
    drawn = dict.fromkeys(f"{tree.name}\n{draw_tree(tree)}" for tree in trees if tree is not None)
    return "\n\n".join(fenced(text) for text in drawn)


def _costs(subject: CardSubject) -> Table:
    rows = []
    for key, (words, show) in _COSTS.items():
        cost = subject.results.cost(subject.line, key)
        rows.append([words, NOT_RECORDED if cost is None else show(cost)])
    return Table(["cost", "mean over runs" if subject.kind != "ensemble" else "all members together"], rows)


_COSTS = {
    "parameters": ("parameters", grouped),
    "train_seconds": ("training", duration),
    "train_image_passes": ("passes of a training image", grouped),
    "ms_per_image": ("reading an image, milliseconds", lambda value: f"{value:.1f}"),
    "image_passes_per_image": ("networks that read an image", grouped),
}


def _frozen_words(recorded: Recorded) -> str:
    """That training went over stored features, where it did."""
    if not any(recipe.get("freeze") is True for recipe in recorded.recipes.values()):
        return ""
    return "Training time and passes are those of heads on stored features; computing those once is not counted."


def _text(runs: Mapping[int, RunFolder]) -> str:
    return next(iter(runs.values())).recipe_text
