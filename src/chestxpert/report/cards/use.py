"""Intended use: what it is for, what it is not, and what it has never seen."""

from __future__ import annotations

from chestxpert.cohort.table import Cohort
from chestxpert.report.cards.markdown import Section, bullets
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped
from chestxpert.report.words import and_words, times

ADULT = 18
_FRONTAL = {"PA", "AP"}

RESEARCH = (
    "Research only. This is not a medical device: it is not for diagnosis, triage or any decision about a patient."
)


def use_section(subject: CardSubject) -> Section:
    """Uses, and what training images did not hold."""
    blocks = [bullets([RESEARCH, "Uses and users that its makers had in mind beyond that: not recorded."])]
    return Section(
        "Intended use", blocks, [Section("What the training images hold, and not", [bullets(unseen(subject.cohort))])]
    )


def unseen(cohort: Cohort) -> list[str]:
    """What the training images do and do not hold, by what their table says."""
    train = cohort.table.iloc[cohort.rows("train")]
    labels = and_words([finding_name(label) for label in cohort.label_space.labels])
    return [
        _simulated(cohort),
        _views(list(train["view"])),
        _children(train["age"].tolist(), train["patient_id"].tolist()),
        _hospitals(cohort),
        f"Other labels: there are {labels}, and none else.",
    ]


def _simulated(cohort: Cohort) -> str:
    if not cohort.simulated:
        return "Images: none of them is simulated."
    drawn = int((cohort.table["source"] == "simulated").sum())
    return f"Radiographs: {grouped(drawn)} of {times(len(cohort), 'image')} are drawings, no radiographs."


def _views(views: list[str]) -> str:
    known = [view for view in views if view]
    if not known:
        return "Views: the table does not say which views the training images are."
    counts = {view: known.count(view) for view in sorted(set(known))}
    told = and_words([f"{grouped(count)} {view}" for view, count in counts.items()])
    missing = f"; of {grouped(len(views) - len(known))} the view is not known" if len(known) < len(views) else ""
    if counts.keys() - _FRONTAL:
        return f"Views: the training images are {told}{missing}."
    none = "none of these is lateral" if missing else "no lateral view is among them"
    return f"Lateral views: the training images are {told}{missing}; {none}."


def _children(ages: list[float], patients: list[str]) -> str:
    """How many training images are of patients under 18."""
    known = [age for age in ages if age == age]
    if not known:
        return "Children: the table does not say how old the patients are."
    young = [patient for age, patient in zip(ages, patients, strict=True) if age < ADULT]
    missing = f" Of {grouped(len(ages) - len(known))} the age is not known." if len(known) < len(ages) else ""
    if not young:
        return f"Children: no training image is known to be of a patient under {ADULT}.{missing}"
    return (
        f"Children: {grouped(len(young))} of {times(len(ages), 'training image')} are of patients under {ADULT} "
        f"({times(len(set(young)), 'patient')}).{missing}"
    )


def _hospitals(cohort: Cohort) -> str:
    sources = sorted({str(source) for source in cohort.table["source"]})
    if sources == ["nih"]:
        return "Other hospitals: all images come from one, the NIH Clinical Center."
    if sources == ["simulated"]:
        return "Hospitals: no image comes from one."
    return f"Other hospitals: images come from {and_words(sources)}; from how many hospitals is not recorded."
