"""Writes data-card.md: the questions of Gebru et al. (Datasheets for datasets, CACM 64, 2021) that its folder answers.

With what Pushkarna et al. (Data cards, FAccT 2022) ask beyond them: known quality, and uses it does not suit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chestxpert.dataset import Dataset
from chestxpert.errors import DataError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.report.cards.composition import composition_section
from chestxpert.report.cards.front_matter import checked_licence, dataset_front_matter
from chestxpert.report.cards.keep import write_card
from chestxpert.report.cards.making import collection_section, labels_section, preprocessing_section, quality_section
from chestxpert.report.cards.markdown import Section, bullets, document, fenced, paragraph, warning
from chestxpert.report.cards.people import SIMULATED
from chestxpert.report.cards.use import unseen
from chestxpert.report.dataset.about import facts
from chestxpert.report.dataset.subject import Subject
from chestxpert.report.provenance import prepare_command
from chestxpert.report.results import finding_name

CARD = "data-card.md"
RESEARCH = "Research only. ChestXpert, which prepared it, is not a medical device."


def build_data_card(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    licence: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Path:
    """Write the card of a data set.

    Parameters
    ----------
    folder : str or Path
        Dataset folder as `chestxpert.dataset.prepare` makes it.
    out : str or Path, optional
        The card; ``data-card.md`` in the folder if None.
    licence : str, optional
        Hugging Face's identifier of the images' licence, such as ``cc0-1.0``. None is named if None.
    draws : int
        Bootstrap draws over patients behind the intervals of the prevalence shift, at least 1.
    seed : int
        Of the draws.

    Returns
    -------
    Path
        Of the card. The same folder and arguments give the same bytes.

    Raises
    ------
    UsageError
        If an argument is out of range, or `licence` is no identifier.
    DataError, CohortError, StoreError
        If the folder is no data set, has no image, or a part of it is damaged.
    RunError
        If a card is in the way that was changed by hand.
    """
    identifier = checked_licence(licence)
    if draws < 1 or seed < 0:
        raise UsageError(f"A data card takes 1 draw or more and a seed of 0 or more, got {draws} and {seed}.")
    dataset = Dataset.load(folder)
    if not len(dataset.cohort):
        raise DataError(
            f"The cohort in {folder} has no image, so there is nothing to tell. Prepare the data set again."
        )
    path = dataset.folder / CARD if out is None else Path(out)
    return write_card(path, data_card(dataset, identifier, draws, seed))


def data_card(dataset: Dataset, licence: str | None = None, draws: int = DRAWS, seed: int = 0) -> str:
    """The card as Markdown, front matter first."""
    subject = Subject.of(dataset.cohort)
    name = dataset.folder.resolve().name
    front = [
        warning(SIMULATED) if dataset.cohort.simulated else "",
        warning(RESEARCH),
        paragraph(f"{'; '.join(facts(subject))}."),
    ]
    sections = [
        Section("Motivation", [paragraph("Why the data set was made, by whom and who paid for it: not recorded.")]),
        composition_section(dataset, subject, draws, seed),
        collection_section(dataset),
        labels_section(dataset),
        preprocessing_section(dataset),
        quality_section(dataset),
        _uses(dataset, subject),
        _distribution(licence),
        _maintenance(dataset),
    ]
    return dataset_front_matter(dataset.cohort, name, licence) + document(f"Data card: {name}", front, sections)


def _uses(dataset: Dataset, subject: Subject) -> Section:
    """What it holds too little of to be used for."""
    tested, trained = subject.tally(("test",)), subject.tally(("train",))
    lacking = [
        f"No {words} image carries {_names(none)}."
        for words, tally in (("training", trained), ("test", tested))
        if (none := [label for label in subject.findings if not tally.counts[label]])
    ]
    held = Section("What the training images hold, and not", [bullets(unseen(dataset.cohort))])
    return Section("Uses", [bullets([RESEARCH, *lacking, "Uses it was put to before: not recorded."])], [held])


def _names(labels: Sequence[str]) -> str:
    return ", ".join(finding_name(label) for label in labels)


def _distribution(licence: str | None) -> Section:
    named = f"{licence}, as named by whoever asked for this card" if licence else "none was named; it is not recorded"
    return Section("Distribution", [bullets([
        f"Licence: {named}.", "Who may have it, and who has it: not recorded.",
    ])])  # fmt: skip


def _maintenance(dataset: Dataset) -> Section:
    """How to know this very version, and how to make it again."""
    prints = [
        f"Fingerprint of the cohort: {dataset.cohort.fingerprint}.",
        f"Fingerprint of the pixels: {dataset.store.fingerprint}.",
        f"Made by ChestXpert {dataset.info.get('chestxpert', '(version not recorded)')}.",
        "Who looks after it, and where errors are reported: not recorded.",
    ]
    command = prepare_command({"prepared": dataset.info, "dataset": str(dataset.folder)})
    again = [paragraph("To make it again:"), fenced(command, "sh")] if command else []
    prints += [] if command else ["How to make it again: not recorded."]
    return Section("Maintenance", [bullets(prints), *again])
