"""What a model card is about: a line of a study, or one run by itself, with what their folders hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.report.methods.recorded import Recorded
from chestxpert.report.read import RunFolder, StudyFolder
from chestxpert.report.results import Results, metric_name


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


def said(metric: str) -> str:
    """A metric within a sentence."""
    words = metric_name(metric)
    return words[:1].lower() + words[1:]
