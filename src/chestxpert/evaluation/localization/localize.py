"""Hold folders of maps against the boxes of a data set: from files to localization.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chestxpert import __version__
from chestxpert.dataset import Dataset
from chestxpert.errors import DataError, RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS, LEVEL
from chestxpert.evaluation.localization.cases import Case, Cases
from chestxpert.evaluation.localization.contrasts import PRIMARY
from chestxpert.evaluation.localization.detect import AT, BoxRule, sweep_rules
from chestxpert.evaluation.localization.maps import HeatMaps
from chestxpert.evaluation.localization.measure import (
    COLUMNS,
    USUAL,
    Measured,
    Settings,
    measure_points,
    measure_stored,
    measure_usual,
)
from chestxpert.evaluation.localization.result import describe
from chestxpert.evaluation.localization.summary import ENOUGH, Groups
from chestxpert.evaluation.localization.usable import match, open_all
from chestxpert.evaluation.localization.usual_place import UsualPlace
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.run_metrics import plain
from chestxpert.files import removed_if_left_empty, replace_when_whole, write_json

SCHEMA = 1
RESULT, CASES = "localization.json", "cases.parquet"
MAIN_RULE = "share=0.5"
LARGEST_SIDE = 2048


def localize(
    places: Sequence[str | Path],
    data: str | Path,
    out: str | Path | None = None,
    *,
    split: str = "test",
    rule: str = MAIN_RULE,
    tolerance: float = 0.0,
    side: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure stored maps against the boxes of a data set.

    Every line (each folder, and the baselines) is measured on the same cases: those that every folder has a usable map
    of. What is left out is listed in the result.

    Parameters
    ----------
    places : sequence of str or Path
        Folders of maps, see `maps.read_maps`; their names are the names of the lines.
    data : str or Path
        Dataset folder.
    out : str or Path, optional
        Folder to make; ``localization-NAMES`` beside the first folder of maps if None. It holds ``localization.json``,
        and ``cases.parquet`` with a row a case and line.
    split : {"test", "val", "all"}
        Whose boxes are measured. A network has seen the images of training patients.
    rule : str
        How maps become boxes, see `detect.BoxRule`. To be chosen before the results are seen.
    tolerance : float
        Of the pointing game, in pixels of a 1024 x 1024 frame, at least 0.
    side : int, optional
        Bring all maps to so many cells a side first.
    draws, seed : int
        Of the bootstrap over patients; the seed also decides the halves behind the usual place.
    progress : callable, optional
        Called with (lines measured, lines in all).

    Returns
    -------
    dict
        Content of ``localization.json``, which docs/localize.md describes, and ``folder``.

    Raises
    ------
    UsageError
        If an argument is out of range, or the folders do not belong beside each other.
    DataError
        If maps or boxes cannot be read, or no case has a usable map in every folder.
    RunError
        If `out` is in the way.
    """
    settings = _settings(rule, tolerance, side, draws, seed)
    opened, dataset = open_all(places), Dataset.load(data)
    folder = _new_folder(out, opened)
    chosen = Cases.of(dataset, split, opened[0].covers)
    cases, rows, told = _common(opened, chosen, dataset)
    rules = sweep_rules(settings.rule)
    lines = _measure(opened, rows, cases, UsualPlace(chosen.every, seed), settings, rules, progress)
    groups = Groups.of(cases, draws, seed)
    names = [maps.name for maps in opened]
    told_of_lines = describe(lines, groups, names, [each.name for each in rules], dataset.cohort.simulated)
    result = plain(
        {
            "schema": SCHEMA,
            "chestxpert": __version__,
            "data": _about_data(dataset),
            "split": split,
            "covers": opened[0].covers,
            "settings": {
                "rule": settings.rule.name, "tolerance": tolerance, "side": side, "primary": PRIMARY, "thresholds": AT,
                "draws": draws, "seed": seed, "level": LEVEL, "enough": ENOUGH,
            },
            "boxes": chosen.counts | {"cases": len(chosen.measured), "compared": len(cases)},
            "maps": told,
            **told_of_lines,
        }
    )  # fmt: skip
    with removed_if_left_empty(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write_cases(folder / CASES, cases, lines)
        write_json(folder / RESULT, result)
    return {**result, "folder": str(folder)}


def _settings(rule: str, tolerance: float, side: int | None, draws: int, seed: int) -> Settings:
    if not 0 <= tolerance <= 1024 or (side is not None and not 2 <= side <= LARGEST_SIDE) or draws < 1 or seed < 0:
        raise UsageError(
            f"Localization takes a tolerance of 0 to 1024 pixels, maps of 2 to {LARGEST_SIDE} cells a side, 1 draw or "
            f"more and a seed of 0 or more, got {tolerance}, {side}, {draws} and {seed}."
        )
    return Settings(BoxRule.parse(rule), tolerance, side)


def _new_folder(out: str | Path | None, opened: Sequence[HeatMaps]) -> Path:
    """Where the result goes; RunError if something is there already."""
    beside = opened[0].place.resolve().parent
    folder = beside / f"localization-{'-'.join(maps.name for maps in opened)}" if out is None else Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists already and is never overwritten. Choose another --out.")
    return folder


def _common(
    opened: Sequence[HeatMaps], chosen: Cases, dataset: Dataset
) -> tuple[list[Case], list[list[int]], dict[str, Any]]:
    """The cases that every folder can be measured on, each folder's rows for them, and what is said of each folder."""
    matched = [match(maps, chosen.measured, dataset.cohort.label_space) for maps in opened]
    kept = [place for place in range(len(chosen.measured)) if all(rows[place] is not None for rows, _ in matched)]
    told = {
        maps.name: {
            "place": str(maps.place),
            "method": str(maps.about.get("method", "")),
            "made_by": str(maps.about.get("made_by", "")),
            "height": maps.values.shape[1],
            "width": maps.values.shape[2],
            **words,
        }
        for maps, (_, words) in zip(opened, matched, strict=True)
    }
    if not kept:
        raise DataError(
            f"No box of {dataset.folder} that is to be measured has a usable map in every folder: "
            + "; ".join(f"{name} has {each['usable']} of {len(chosen.measured)}" for name, each in told.items())
            + ". Are image ids and findings those of the data set, and is --split the right one?"
        )
    rows = [[row for row in (rows[place] for place in kept) if row is not None] for rows, _ in matched]
    return [chosen.measured[place] for place in kept], rows, told


def _measure(
    opened: Sequence[HeatMaps],
    rows: Sequence[Sequence[int]],
    cases: Sequence[Case],
    usual: UsualPlace,
    settings: Settings,
    rules: Sequence[BoxRule],
    progress: Callable[[int, int], None] | None,
) -> dict[str, Measured]:
    lines: dict[str, Measured] = {}
    tell = progress or (lambda done, total: None)
    for maps, places in zip(opened, rows, strict=True):

        def stored(position: int, maps: HeatMaps = maps, places: Sequence[int] = places) -> FloatArray:
            return maps.read(places[position])

        lines[maps.name] = measure_stored(cases, stored, settings, rules)
        tell(len(lines), len(opened) + 1)
    lines |= measure_points(cases, len(rules), settings.tolerance)
    lines[USUAL] = measure_usual(cases, usual, settings, rules)
    tell(len(opened) + 1, len(opened) + 1)
    return lines


def _about_data(dataset: Dataset) -> dict[str, Any]:
    return {
        "folder": str(dataset.folder),
        "cohort": dataset.cohort.fingerprint,
        "store": dataset.store.fingerprint,
        "simulated": dataset.cohort.simulated,
        "fit": dataset.store.preprocess.fit,
        "square": bool((dataset.store.index["width"] == dataset.store.index["height"]).all()),
    }


def _write_cases(path: Path, cases: Sequence[Case], lines: dict[str, Measured]) -> None:
    """A row for each case and line: what every figure of the result is a mean of."""
    about = pd.DataFrame(
        {
            "image_id": [case.image_id for case in cases],
            "finding": [case.finding for case in cases],
            "patient_id": [case.patient for case in cases],
            "split": [case.split for case in cases],
            "boxes": [len(case.boxes) for case in cases],
        }
    )
    parts = [
        pd.concat([about.assign(line=name), pd.DataFrame(np.asarray(line.values), columns=list(COLUMNS))], axis=1)
        for name, line in lines.items()
    ]
    with replace_when_whole(path) as aside:
        pd.concat(parts, ignore_index=True).to_parquet(aside, index=False)
