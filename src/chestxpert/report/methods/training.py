"""Model and training of a study in words."""

from __future__ import annotations

from collections.abc import Mapping

from chestxpert.recipe import DRAWS, LOSSES, MIXES, ROUTINGS, STAGES, Method
from chestxpert.report.evidence.stored import part
from chestxpert.report.methods.bibliography import Cited
from chestxpert.report.methods.recorded import Recorded
from chestxpert.report.words import and_words, times

_ARCHITECTURES = {
    "flat": "one network with an output for each label",
    "cascade": "a network of its own for each decision of the hierarchy, asked only where the one before says yes",
    "shared": "one network with outputs for all nodes of the hierarchy, each given its parent",
}
_WEIGHTS = {
    "balanced": "positives weighted by negatives for each positive",
    "sqrt": "positives weighted by the root of negatives for each positive",
    "effective": "positives weighted by effective numbers",
}


def model_words(recorded: Recorded, cited: Cited) -> str:
    """Backbone, where its weights come from, head, and what each architecture is."""
    backbone = recorded.environment("backbone", "name")
    source = recorded.environment("backbone", "source")
    words = []
    if backbone:
        frozen = recorded.agreed("freeze")
        frozen_words = ", which was not trained further: heads were trained on its features" if frozen is True else ""
        words.append(f"All networks have the backbone {backbone} with {_weights(source)}{frozen_words}.")
    hidden = part({"head": recorded.agreed("head")}, "head").get("hidden")
    if hidden:
        words.append(f"Heads have hidden layers of {and_words([str(width) for width in hidden])} units.")
    kinds: dict[str, list[str]] = {}
    for name, recipe in recorded.recipes.items():
        kinds.setdefault(str(recipe.get("architecture", "")), []).append(name)
    for kind, names in kinds.items():
        if kind in _ARCHITECTURES:
            words.append(f"{and_words(names)}: {_ARCHITECTURES[kind]}.")
    if {"cascade", "shared"} & kinds.keys():
        words.append(
            "A hierarchy's probability of a label is the product along the path "
            f"{cited('redmon2017yolo9000', 'chen2019deep')}."
        )
    return " ".join(words)


def _weights(source: str) -> str:
    if source == "random":
        return "random weights, not pretrained"
    return f"weights from {source}" if source else "weights whose source is not recorded"


def training_words(recorded: Recorded, cited: Cited) -> str:
    """What all recipes share, then each recipe's own way with imbalance."""
    if not recorded.recipes:
        return ""
    optimizer = part({"own": recorded.agreed("optimizer")}, "own")
    seeds = max((len(recorded.study.results.seeds(name)) for name in recorded.recipes), default=0)
    words = [f"Networks were trained with AdamW {cited('loshchilov2019decoupled')}"]
    if optimizer:
        words[0] += (
            f" (peak learning rate {optimizer.get('lr')}, heads {optimizer.get('head_lr')}, weight decay "
            f"{optimizer.get('weight_decay')}, linear warm-up over {optimizer.get('warmup')} of the steps, cosine "
            f"decay, gradient norm at most {optimizer.get('clip')}, weights averaged over {optimizer.get('average')} "
            "of the steps)"
        )
    epochs, patience, batch = (recorded.agreed(key) for key in ("epochs", "patience", "batch_size"))
    if epochs is not None:
        words[0] += f" for at most {times(int(epochs), 'epoch')}"
        words[0] += f" in batches of {batch}" if batch is not None else ""
    words[0] += "."
    if patience is not None:
        words.append(
            f"Training stopped after {times(int(patience), 'epoch')} without a better validation mean average "
            "precision, and the best epoch was kept."
        )
    augment = part({"own": recorded.agreed("augment")}, "own")
    if augment:
        views = recorded.agreed("views") if recorded.agreed("freeze") is True else None
        seen = f"; of each image features of the plain and of {views} augmented views were stored" if views else ""
        words.append(f"Augmentation: {_augment_words(augment)}{seen}.")
    words.append(f"Each recipe was trained from {times(seeds, 'seed')}.")
    return " ".join([*words, *(_own_words(recorded, name, cited) for name in recorded.recipes)])


def _augment_words(augment: Mapping[str, object]) -> str:
    units = {"rotate": " degrees", "shift": " of the side", "scale": "", "brightness": "", "contrast": ""}
    nouns = {"rotate": "rotation"}
    found = [f"{nouns.get(key, key)} up to {augment[key]}{unit}" for key, unit in units.items() if augment.get(key)]
    return and_words([*found, *(["mirroring"] if augment.get("hflip") else [])]) if found else "none"


def _own_words(recorded: Recorded, name: str, cited: Cited) -> str:
    """One recipe's loss, draw, mix and second stage, with who they come from."""
    recipe = recorded.recipes[name]
    loss, sampling = part(recipe, "loss"), part(recipe, "sampling")
    found = [_method("loss", str(loss.get("kind") or "bce"), LOSSES, cited)]
    weight = str(loss.get("pos_weight") or "none")
    if weight != "none":
        cui = f" {cited('cui2019effective')}" if weight == "effective" else ""
        found.append(f"{_WEIGHTS.get(weight, f'positives weighted ({weight})')}{cui}")
    for what, key, catalogue, plain in (("draw", "draw", DRAWS, "instance"), ("mix", "mix", MIXES, "none")):
        kind = str(part(sampling, key).get("kind") or plain)
        if kind != plain:
            found.append(_method(what, kind, catalogue, cited))
    if sampling.get("thin"):
        found.append("frequent training images thinned out")
    if sampling.get("oversample"):
        found.append(f"rare findings repeated up to a share of {part(sampling, 'oversample').get('target')}")
    stage = recorded.chosen(name, "stage")
    if stage not in ("", "none"):
        found.append(_method("second stage", stage, STAGES, cited))
    if recipe.get("decisions"):
        found.append(f"settings of their own for {and_words(list(part(recipe, 'decisions')))}")
    routing = recorded.chosen(name, "routing")
    if routing not in ("", "soft"):
        found.append(_method("routing", routing, ROUTINGS, cited))
    views = part(recipe, "tta").get("views")
    if views:
        found.append(f"predictions are means over the plain image and {views} augmented views")
    return f"{name}: {', '.join(found)}."


def _method(what: str, kind: str, catalogue: Mapping[str, Method], cited: Cited) -> str:
    """Name and summary of a method of the catalogue, with its source; a user's own function by its name."""
    if kind not in catalogue:
        return f"{what} {kind}"
    works = cited.source(catalogue[kind].source)
    return f"{what} {kind} ({catalogue[kind].summary}){f' {works}' if works else ''}"
