"""Where a study comes from, and how to make it again: tables and commands from what its folder records."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from chestxpert.report.external import origin_rows
from chestxpert.report.figure import Table
from chestxpert.report.oversampling import oversample_command
from chestxpert.report.read import StudyFolder
from chestxpert.strict_yaml import read_stored

_PER_RUN = ("seed",)
_NAMES = {
    "chestxpert": "ChestXpert",
    "backbone.asked": "backbone asked for",
    "backbone.mean": "mean of its input",
    "backbone.std": "spread of its input",
    "backbone.features": "its features",
    "backbone.name": "backbone",
    "backbone.source": "its weights come from",
    "backbone.weights_fingerprint": "fingerprint of its weights",
    "cohort_fingerprint": "fingerprint of the cohort",
    "date": "begun on (UTC)",
    "pixels_fingerprint": "fingerprint of the pixels",
    "size": "image size in pixels",
    "source": "images from",
    "dtype": "number format",
    "system": "operating system",
}
NIH = (
    "NIH ChestX-ray14, provided by the NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC "
    "(Wang et al., ChestX-ray8, CVPR 2017, pp. 3462-3471)"
)
"""What NIH asks of whoever publishes results on its images."""

_NEW_FOLDER = "studies/again"
_PREPARE_OPTIONS = ("format", "table", "lateral", "labels", "size", "fit", "grey", "split", "val_fraction", "seed")
_PREPARE = "the data set, from the folder with the tables and the images"
_DRAW = "compare and draw again from the stored predictions, without training"
_COPY = "augmented copies of its training images, and the data set that has them"
_PREPARE_SIMULATED = (
    "the data set, from a folder of simulated images: drawings that chestxpert data simulate made, no radiographs"
)


@dataclass(frozen=True)
class RecipeText:
    """A recipe as the page shows it: its YAML line by line, true where it differs from the baseline's."""

    name: str
    side: str
    note: str
    lines: list[tuple[str, bool]]


def provenance_table(study: StudyFolder) -> Table:
    """What the runs were made with: said once where all agree, else by recipe."""
    results, settings = study.results, study.settings
    bootstrap = results.comparison.get("bootstrap", {})
    seeds = sorted({seed for name in results.recipes for seed in results.seeds(name)})
    rows = [
        ["study", study.folder.resolve().name],
        ["seeds", ", ".join(map(str, seeds))],
        ["label space", f"{study.cohort.label_space.name}, {len(study.cohort.label_space)} labels"],
    ]
    rows += origin_rows(results)
    if "draws" in bootstrap:
        rows.append(["bootstrap", f"{bootstrap['draws']} draws over {bootstrap.get('unit', 'patient')}s"])
    if "dataset" in settings:
        rows.append(["data set", str(settings["dataset"])])
    if (study.cohort.table["source"] == "nih").any():
        rows.append(["images", NIH])
    known = {name: _agreed([_flat(run.environment) for run in runs.values()]) for name, runs in study.runs.items()}
    keys = dict.fromkeys(key for values in known.values() for key in values)
    rows += [[_NAMES.get(key, _words(key)), _by_recipe({n: v.get(key, "") for n, v in known.items()})] for key in keys]
    return Table(["", ""], [row for row in rows if row[1]], words=2)


def _words(key: str) -> str:
    return key.removeprefix("packages.").replace("_", " ").replace(".", " ")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values as dotted keys and words, without what belongs to a single run or is said elsewhere."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None and prefix + key not in (*_PER_RUN, "schema", "dataset"):
            flat[prefix + key] = str(value)
    return flat


def _agreed(runs: list[dict[str, str]]) -> dict[str, str]:
    """Values of several runs of one recipe; where they differ, all of them."""
    keys = dict.fromkeys(key for run in runs for key in run)
    return {key: " / ".join(dict.fromkeys(run[key] for run in runs if key in run)) for key in keys}


def _by_recipe(values: Mapping[str, str]) -> str:
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return "; ".join(f"{name}: {value or 'not recorded'}" for name, value in values.items())


def recipe_texts(study: StudyFolder) -> list[RecipeText]:
    """Every recipe's YAML with the lines marked in which it differs from the baseline's."""
    results = study.results
    texts = {name: next(iter(runs.values())).recipe_text for name, runs in study.runs.items()}
    base = texts.get(results.baseline, "").splitlines()
    return [
        RecipeText(name, results.side(name), results.recipe(name)["architecture"], _marked(base, texts[name]))
        for name in results.recipes
    ]


def _marked(base: list[str], text: str) -> list[tuple[str, bool]]:
    lines = text.rstrip().splitlines()
    matcher = difflib.SequenceMatcher(a=base, b=lines, autojunk=False)
    same = {line for block in matcher.get_matching_blocks() for line in range(block.b, block.b + block.size)}
    return [(line, index not in same and not line.startswith("name:")) for index, line in enumerate(lines)]


def frozen_recipes(study: StudyFolder) -> list[str]:
    """Recipes whose runs trained heads on a frozen backbone's stored features."""
    return [name for name, runs in study.runs.items() if any(_frozen(run.recipe_text) for run in runs.values())]


def _frozen(recipe_text: str) -> bool:
    try:
        values = read_stored(recipe_text)
    except yaml.YAMLError:
        return False
    return isinstance(values, Mapping) and values.get("freeze") is True


def commands(study: StudyFolder) -> list[tuple[str, str]]:
    """What to type to make the study again, each with what it does."""
    folder = shlex.quote(str(study.folder))
    recorded = str(study.settings.get("command") or "").strip()
    found = []
    original, copying = oversample_command(study.settings)
    preparing = prepare_command({**study.settings, "dataset": original} if copying else study.settings)
    if preparing:
        found.append((_PREPARE_SIMULATED if study.cohort.simulated else _PREPARE, preparing))
    if copying:
        found.append((_COPY, copying))
    if recorded:
        recorded = _with_posthoc(recorded, study.settings)
        again = "the whole study, as it was asked for; --out names a new folder, since none is overwritten"
        found.append((again, _into_new_folder(recorded)))
        if not study.results.recipes:
            return [*found, (_DRAW, f"chestxpert report {folder}")]
        resumed = recorded if "--resume" in _parsed(recorded) else f"{recorded} --resume"
        found.append(("go on with this folder where it stopped; trains only what is missing", resumed))
    found += [
        (f"the ensemble {name}, of stored predictions", _ensemble(study, name)) for name in study.results.ensembles
    ]
    found += [(f"the predictions of {name} in this study", _adding(study, name)) for name in study.results.externals]
    found += [
        (_DRAW, f"chestxpert report {folder}"),
        ("a model card of its best recipe, from what was measured", f"chestxpert card {folder}"),
    ]
    return found


def _adding(study: StudyFolder, name: str) -> str:
    """How another tool's predictions came into a study; their files are named, but not kept."""
    record = study.results.external(name)
    files = [f"--predictions={name}={file['file']}" for file in record.get("files", ())]
    options = ["--logits"] if record.get("scale") == "logits" else []
    options += ["--allow-missing"] if record.get("missing") else []
    return shlex.join(["chestxpert", "evaluate", *files, *options, "--study", str(study.folder)])


def _with_posthoc(recorded: str, settings: Mapping[str, Any]) -> str:
    """The recorded command, asking for the corrections that the study shows now: they may have been chosen later."""
    words, chosen = _parsed(recorded), ",".join(settings.get("posthoc") or [])
    if not chosen or any(word.partition("=")[0] == "--posthoc" for word in words):
        return recorded
    return f"{recorded} --posthoc {shlex.quote(chosen)}"


def _ensemble(study: StudyFolder, name: str) -> str:
    about = study.results.done(name)[0]
    recipes = study.results.made_of(name)
    words = ["chestxpert", "ensemble", str(study.folder), "--name", name, "--average", str(about["average"])]
    return shlex.join([*words, "--recipes", *recipes])


def prepare_command(settings: Mapping[str, Any]) -> str:
    """The line that makes the data set from its source; empty where the study does not record it."""
    prepared = settings.get("prepared")
    if not isinstance(prepared, Mapping):
        return ""
    source = prepared.get("source")
    paths = source_paths(source if isinstance(source, Mapping) else {"path": source})
    if not paths:
        return ""
    arguments = prepared.get("arguments")
    asked = arguments if isinstance(arguments, Mapping) else {}
    options = [
        word
        for key in _PREPARE_OPTIONS
        if asked.get(key) not in (None, "")
        for word in (f"--{key.replace('_', '-')}", str(asked[key]))
    ]
    if asked.get("columns"):
        options += ["--columns", "COLUMNS.yaml"]  # what it holds stands under 'arguments' in dataset.json
    out = str(settings.get("dataset") or "DATASET")
    return shlex.join(["chestxpert", "data", "prepare", *paths, "--out", out, *options])


def source_paths(source: Mapping[str, Any]) -> list[str]:
    """The folders or archives that a data set was prepared from; empty if it does not say."""
    paths = source.get("paths") or source.get("path") or []
    return [str(paths)] if isinstance(paths, str) else [str(path) for path in paths]


def _into_new_folder(recorded: str) -> str:
    """The recorded command with a placeholder for its --out, and without --resume."""
    words = [word for word in _parsed(recorded) if word != "--resume"]
    for place, word in enumerate(words):
        if word == "--out" and place + 1 < len(words):
            words[place + 1] = _NEW_FOLDER
        elif word.startswith("--out="):
            words[place] = f"--out={_NEW_FOLDER}"
    return shlex.join(words)


def _parsed(recorded: str) -> list[str]:
    try:
        return shlex.split(recorded)
    except ValueError:  # a quote without its end: better shown as it is than not at all
        return recorded.split()
