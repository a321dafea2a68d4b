"""Finds what a card is about: a line of a study, by name or by validation, or a run by itself."""

from __future__ import annotations

from pathlib import Path

from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.report.cards.subject import CardSubject, said
from chestxpert.report.evidence.stored import number
from chestxpert.report.read import StudyFolder, read_run, read_study
from chestxpert.report.results import Results
from chestxpert.report.scales import decimal
from chestxpert.report.words import times
from chestxpert.training import stored_run
from chestxpert.training.folder import ENSEMBLE


def read_subject(folder: Path, line: str | None = None, data: Path | None = None, draws: int = DRAWS) -> CardSubject:
    """What is in a folder: a study, of which a line is chosen, or a finished run.

    Parameters
    ----------
    folder : Path
    line : str, optional
        Of a study: a recipe, an ensemble or a corrected line; the best recipe by validation if None.
    data : Path, optional
        Of a run: the dataset folder that it learnt from, if that has moved.
    draws : int
        Of a run: bootstrap draws over patients. A study has its own.

    Raises
    ------
    RunError
        If the folder holds neither, a part of it is missing, or the data set of a run cannot be found.
    UsageError
        If the study has no such line, or what belongs to a run is asked of a study or the other way round.
    """
    folder = Path(folder)
    if (folder / "study.yaml").is_file():
        if data is not None:
            raise UsageError("A study has its cohort with it; --data belongs to a run by itself.")
        return _of_study(folder, line)
    if line is not None:
        raise UsageError(f"{folder} is no study, so there is no recipe of it to choose. Leave --recipe out.")
    if (folder / ENSEMBLE).is_file():
        raise RunError(
            f"{folder} is an ensemble. The card of one that is in a study is written by "
            "`chestxpert card STUDY --recipe NAME`; one of runs that stand alone has no card."
        )
    return _of_run(folder, data, draws)


def _of_study(folder: Path, line: str | None) -> CardSubject:
    study = read_study(folder)
    if not study.results.recipes:
        raise UsageError(
            f"{folder} holds predictions of other tools alone, and a model card is of what was trained here: of those "
            "tools too little is known. Its report says what they reach."
        )
    if line in study.results.externals:
        raise UsageError(f"'{line}' was made by another tool, of which too little is known for a model card.")
    best, why = _best(study.results)
    if line is None:
        return CardSubject(study, best, why)
    if line not in study.results.lines:
        raise UsageError(f"{folder} has no recipe '{line}'. It has: {', '.join(study.results.lines)}.")
    other = f" By validation, {best} would be the choice." if line != best else f" {why}"
    return CardSubject(study, line, f"It was asked for by its name.{other}")


def _best(results: Results) -> tuple[str, str]:
    """The trained recipe with the highest primary metric on validation, and that it is so."""
    scores = {name: number(results.recipe(name), "validation", results.primary) for name in results.recipes}
    known = {name: score for name, score in scores.items() if score is not None}
    if len(scores) == 1:
        return next(iter(scores)), "It is the study's only recipe."
    if not known:
        return next(iter(scores)), "It is the study's first recipe; the study records no validation figures."
    best = max(known, key=lambda name: known[name])
    return best, (
        f"Of {times(len(known), 'recipe')} it has the highest {said(results.primary)} on validation images "
        f"({decimal(known[best])}); test images had no part in the choice."
    )


def _of_run(folder: Path, data: Path | None, draws: int) -> CardSubject:
    run = stored_run.read_run(folder)
    own = stored_run.own_data(run, data, Path(run.environment["dataset"]))
    if own is None:
        raise RunError(
            f"The data set of {folder} is not where it was ({run.environment['dataset']}), and the card counts in it. "
            "Name its folder with --data."
        )
    parts, seed = read_run(folder), int(run.environment["seed"])
    result = RunResult(seed, run.predictions, run.recipe.architecture, dict(parts.cost), run.not_learnt)
    results = Results(compare_runs({run.recipe.name: [result]}, own.cohort, run.tree, draws=draws))
    settings = {"dataset": str(data or run.environment["dataset"]), "prepared": own.info}
    study = StudyFolder(folder, settings, own.cohort, results, {run.recipe.name: {seed: parts}})
    return CardSubject(study, run.recipe.name, "It is one run by itself, and was chosen among none.", alone=True)
