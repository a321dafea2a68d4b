"""Writes model-card.md: sections of Mitchell et al., Model cards for model reporting, FAT* 2019, from stored facts."""

from __future__ import annotations

from pathlib import Path

from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.report.cards.analyses import analyses_section
from chestxpert.report.cards.cautions import caveats_section
from chestxpert.report.cards.choose import read_subject
from chestxpert.report.cards.details import details_section
from chestxpert.report.cards.ethics import ethics_section
from chestxpert.report.cards.factors import factors_section
from chestxpert.report.cards.front_matter import checked_licence, model_front_matter
from chestxpert.report.cards.keep import write_card
from chestxpert.report.cards.markdown import Section, document, fenced, warning
from chestxpert.report.cards.others import again_section, comparison_section
from chestxpert.report.cards.people import SIMULATED, data_sections
from chestxpert.report.cards.performance import metrics_section
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.cards.use import RESEARCH, use_section
from chestxpert.report.methods.bibliography import Cited, bibtex

CARD = "model-card.md"


def build_model_card(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    recipe: str | None = None,
    licence: str | None = None,
    data: str | Path | None = None,
    draws: int = DRAWS,
) -> Path:
    """Write the card of a study's recipe, or of one run.

    Every figure is of stored predictions and the cohort; what was not measured is called so.

    Parameters
    ----------
    folder : str or Path
        A compared study, or a finished run.
    out : str or Path, optional
        The card; ``model-card.md`` in the folder if None.
    recipe : str, optional
        Of a study: a recipe, an ensemble or a corrected line; the best recipe by validation if None.
    licence : str, optional
        Hugging Face's identifier of a licence, such as ``apache-2.0``. None is named if None.
    data : str or Path, optional
        Of a run: the dataset folder that it learnt from, if that has moved.
    draws : int
        Of a run: bootstrap draws over patients behind its intervals. A study has its own.

    Returns
    -------
    Path
        Of the card. The same folder and arguments give the same bytes.

    Raises
    ------
    UsageError
        If there is no such recipe, or `licence` is no identifier.
    RunError
        If the folder holds neither, a part of it is missing, or a card is in the way that was changed by hand.
    """
    identifier = checked_licence(licence)
    subject = read_subject(Path(folder), recipe, None if data is None else Path(data), draws)
    path = Path(folder) / CARD if out is None else Path(out)
    return write_card(path, model_card(subject, identifier))


def model_card(subject: CardSubject, licence: str | None = None) -> str:
    """The card as Markdown, front matter first."""
    cited = Cited()
    simulated = subject.cohort.simulated
    details = details_section(subject, cited, licence)
    sections = [
        details, use_section(subject), factors_section(subject), metrics_section(subject), *data_sections(subject),
        analyses_section(subject), ethics_section(subject), caveats_section(subject), comparison_section(subject),
        again_section(subject), _references(subject, cited),
    ]  # fmt: skip
    front = [warning(SIMULATED) if simulated else "", warning(RESEARCH)]
    return model_front_matter(subject, licence) + document(f"Model card: {subject.title}", front, sections)


def _references(subject: CardSubject, cited: Cited) -> Section:
    version = subject.recorded.environment("chestxpert") or "unknown"
    return Section("References", [fenced(bibtex(cited.keys, version), "bibtex")])
