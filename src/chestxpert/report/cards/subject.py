"""What a model card is about: a line of a study, or one run by itself, with what their folders hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.report.evidence.stored import number
from chestxpert.report.methods.recorded import Recorded
from chestxpert.report.read import RunFolder, StudyFolder, read_run, read_study
from chestxpert.report.results import Results, metric_name
from chestxpert.report.scales import decimal
from chestxpert.report.words import times
from chestxpert.training import stored_run
from chestxpert.training.folder import ENSEMBLE


@dataclass(frozen=True, eq=False)
class CardSubject:
    """One line of a study.

    Attributes
    ----------
    study : StudyFolder
        The study; of a run by itself, a study of this run alone.
    line : str
        The recipe, ensemble or corrected line.
    why : str
        How it came to be this one, in sentences.
    alone : bool
        Whether it is a run by itself.
    """

    study: StudyFolder
    line: str
    why: str
    alone: bool = False

    @property
    def results(self) -> Results:
        """The comparison that the figures are from."""
        return self.study.results

    @property
    def cohort(self) -> Cohort:
        """Whom it was trained and measured on."""
        return self.study.cohort

    @property
    def entry(self) -> Mapping[str, Any]:
        """All that the comparison holds on the line."""
        return self.results.recipe(self.line)

    @property
    def kind(self) -> str:
        """``recipe``, ``ensemble`` or ``posthoc``."""
        return str(self.entry.get("derived", {}).get("kind") or "recipe")

    @property
    def base(self) -> str:
        """The recipe or ensemble below a correction; else the line itself."""
        return self.results.made_of(self.line)[0] if self.kind == "posthoc" else self.line

    @property
    def recipes(self) -> list[str]:
        """The trained recipes that the line is made of."""
        return self.results.made_of(self.base) or [self.base]

    @property
    def runs(self) -> dict[str, Mapping[int, RunFolder]]:
        """The trained runs that the line is made of, by recipe and seed."""
        return {name: self.study.runs[name] for name in self.recipes}

    @property
    def n_runs(self) -> int:
        """How many those are."""
        return sum(map(len, self.runs.values()))

    @property
    def seeds(self) -> list[int]:
        """The seeds that its figures are means over; empty for an ensemble, which is one prediction of several runs."""
        return [] if self.base in self.results.ensembles else self.results.seeds(self.line)

    @cached_property
    def recorded(self) -> Recorded:
        """What their folders record, for sentences about training."""
        every = Recorded.of(self.study)
        recipes = {name: every.recipes[name] for name in self.recipes}
        return Recorded(self.study, recipes, [run.environment for runs in self.runs.values() for run in runs.values()])

    @property
    def title(self) -> str:
        """Its name with that of its study, or its seed."""
        if self.alone:
            return f"{self.line}, seed {self.results.seeds(self.line)[0]}"
        return f"{self.line} of {self.study.folder.resolve().name}"


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


def said(metric: str) -> str:
    """A metric within a sentence."""
    words = metric_name(metric)
    return words[:1].lower() + words[1:]
