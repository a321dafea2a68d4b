"""Predictions of other tools on disk: ``external/NAME/{external.yaml, predictions.parquet}`` in a study's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from chestxpert import __version__
from chestxpert.cohort.rejects import write_rejects
from chestxpert.cohort.table import Cohort
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.external import External, read_external
from chestxpert.evaluation.measured_runs import RunResult
from chestxpert.evaluation.predictions import Predictions
from chestxpert.files import replace_when_whole, write_text

EXTERNAL = "external"
ABOUT = "external.yaml"
REJECTS = "rejects.csv"
SCHEMA = 1


def named_files(texts: Sequence[str]) -> dict[str, list[Path]]:
    """Files of each name, from ``FILE`` or ``NAME=FILE``; a name that is given several times has several seeds.

    Without a name a file is called as it is, without its suffix.

    Raises
    ------
    UsageError
        If a name cannot be one, or two files without a name are called alike.
    """
    files: dict[str, list[Path]] = {}
    unnamed: set[str] = set()
    for text in texts:
        name, given, path = text.partition("=")
        if not given or "/" in name:
            name, path = Path(text).name.partition(".")[0], text
            if name in files:
                raise UsageError(f"Two files are called '{name}'. Name them: --predictions NAME={path}.")
            unnamed.add(name)
        elif name in unnamed:
            raise UsageError(f"Two files are called '{name}'. Name both: --predictions NAME={path}.")
        if not name or not path or name[0] == "." or not all(sign.isalnum() or sign in "-_." for sign in name):
            raise UsageError(
                f"The name of predictions is letters, digits, '-', '_' and '.', but got '{name}'. "
                f"Name them: --predictions NAME={path or 'FILE'}."
            )
        files.setdefault(name, []).append(Path(path))
    return files


def read_named(
    files: Mapping[str, Sequence[Path]], cohort: Cohort, logits: bool, allow_missing: bool
) -> list[External]:
    """Read the files of every name; see `chestxpert.evaluation.external.read_external`."""
    return [
        read_external(name, paths, cohort, logits=logits, allow_missing=allow_missing) for name, paths in files.items()
    ]


def store_external(study: Path, external: External, cohort: Cohort) -> None:
    """Write one tool's predictions into a study; ``external.yaml`` last, so that what has one is whole.

    Rows that are of no image of the cohort are listed in ``rejects.csv``.
    """
    folder = study / EXTERNAL / external.name
    for seed, predictions in external.runs.items():
        predictions.save(_predictions(folder, seed, len(external.runs)))
    if external.rejects:
        with replace_when_whole(folder / REJECTS) as aside:
            write_rejects(external.rejects, aside)
    about = {
        "schema": SCHEMA,
        "name": external.name,
        "added": datetime.now(UTC).isoformat(timespec="seconds"),
        "chestxpert": __version__,
        "cohort_fingerprint": cohort.fingerprint,
        "seeds": list(external.runs),
        **external.record,
    }
    write_text(folder / ABOUT, yaml.safe_dump(about, sort_keys=False, width=100, allow_unicode=True))


def external_names(study: Path, plan: Mapping[str, Any]) -> list[str]:
    """Names of the whole ones: first those that study.yaml lists, in its order, which says which is the baseline."""
    there = sorted(path.parent.name for path in (study / EXTERNAL).glob(f"*/{ABOUT}"))
    listed = [str(name) for name in plan.get("externals", ())]
    lost = [name for name in listed if name not in there]
    if lost:
        raise RunError(f"The predictions of {', '.join(lost)} are not in {study / EXTERNAL}. Evaluate them again.")
    return [*listed, *(name for name in there if name not in listed)]


def read_externals(study: Path, plan: Mapping[str, Any]) -> dict[str, list[RunResult]]:
    """What other tools predicted, by name, as it was stored.

    Raises
    ------
    RunError
        If something is missing, cannot be read, or is of another cohort.
    """
    return {
        name: _read(study / EXTERNAL / name, str(plan["cohort_fingerprint"])) for name in external_names(study, plan)
    }


def _read(folder: Path, fingerprint: str) -> list[RunResult]:
    try:
        about = yaml.safe_load((folder / ABOUT).read_text(encoding="utf-8"))
        seeds, made_for = [int(seed) for seed in about["seeds"]], about["cohort_fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise RunError(f"{folder / ABOUT} cannot be read ({error!r}). Delete {folder} and add it again.") from error
    if made_for != fingerprint:
        raise RunError(f"{folder} was read for cohort {made_for}, but the study has {fingerprint}. Add it again.")
    record = {key: value for key, value in about.items() if key not in ("schema", "seeds", "cohort_fingerprint")}
    return [
        RunResult(seed, Predictions.load(_predictions(folder, seed, len(seeds))), "external", external=record)
        for seed in seeds
    ]


def _predictions(folder: Path, seed: int, seeds: int) -> Path:
    """Where the predictions of a seed are."""
    return folder / ("predictions.parquet" if seeds == 1 else f"predictions-seed-{seed}.parquet")
