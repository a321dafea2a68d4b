"""The methods section, item by item of CLAIM, from what was run.

CLAIM is the checklist for artificial intelligence in medical imaging (Tejani et al., Radiology: Artificial Intelligence
6, 2024). What no folder records (why the study was done, ethics, funding) is for its authors to say, and the section
says that as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.recipe import POSTHOC
from chestxpert.report.evidence.stored import has_interval, number, part
from chestxpert.report.external import half_words, methods_words
from chestxpert.report.methods.bibliography import Cited, bibtex
from chestxpert.report.methods.recorded import Recorded
from chestxpert.report.methods.training import model_words, training_words
from chestxpert.report.read import StudyFolder
from chestxpert.report.results import finding_name, metric_name
from chestxpert.report.scales import grouped
from chestxpert.report.words import and_words, times

_SPLITS = {"train": "training", "val": "validation", "test": "test"}
FITS = {
    "pad": "padded to a square with black",
    "crop": "cropped to the square in their middle",
    "stretch": "stretched to a square",
}
_BY = {"images": "number of test images of the patient"}
_WAYS = {
    "official": " The official test list was kept, and validation images were cut from the others by patient.",
    "tables": " The division is that of the data set's own tables.",
    "random": " Patients were divided at random, stratified over findings.",
}
_ASKED = {
    "official": " Test images are those of the data set's official split.",
    "random": " The split was drawn at random.",
}
"""What a study asked for, where it does not record how its images were divided."""
_RULES = {"youden": ("youden1950index",)}


@dataclass(frozen=True)
class Methods:
    """Paragraphs with their headings, in the order of CLAIM, and the BibTeX of what they cite."""

    paragraphs: list[tuple[str, str]]
    bibtex: str


def methods_section(study: StudyFolder) -> Methods:
    """The methods of a study in words; what its folder does not record is left out."""
    recorded, cited = Recorded.of(study), Cited()
    found = [
        ("Data", _data(study, cited)),
        ("Data partitions", partition_words(study)),
        ("Preprocessing", preprocessing_words(study, recorded)),
        ("Model", model_words(recorded, cited)),
        ("Training", training_words(recorded, cited)),
        ("Other tools", methods_words(study.results)),
        ("Thresholds and calibration", _thresholds(study, cited)),
        ("Statistics", _statistics(study, cited)),
        ("Software", _software(study, recorded)),
    ]
    version = _version(study, recorded) or "unknown"
    return Methods([(heading, words) for heading, words in found if words], bibtex(cited.keys, version))


def _version(study: StudyFolder, recorded: Recorded) -> str:
    """Of the runs; a study without any says which version measured."""
    return recorded.environment("chestxpert") or str(study.settings.get("chestxpert") or "")


def _data(study: StudyFolder, cited: Cited) -> str:
    cohort = study.cohort
    sources = sorted({str(source) for source in cohort.table["source"]})
    what = "drawings by the project's simulator (no radiographs)" if cohort.simulated else "chest radiographs"
    where = ""
    if "nih" in sources:
        where = f" of NIH ChestX-ray14 {cited('wang2017chestxray')}"
    elif not cohort.simulated:
        where = f" ({', '.join(sources)})"
    labels = [finding_name(label) for label in cohort.label_space.labels]
    mined = " Labels were mined from radiology reports and contain errors." if "nih" in sources else ""
    if cohort.label_space.name == "cxrlt20":
        mined += f" Those of the rarest findings are from {cited('holste2022longtailed')[1:-1]}."
    unknown = "" if cohort.all_known else " Unknown labels were left out of training and of every measure."
    return (
        f"We used {grouped(len(cohort))} {what} of {grouped(cohort.n_patients())} patients{where}, each with "
        f"{len(labels)} labels that do not exclude each other: {and_words(labels)}.{mined}{unknown} This is a "
        "retrospective study of existing images."
    )


def partition_words(study: StudyFolder) -> str:
    """How many images and patients each split has, how they were divided, and what each split was used for."""
    cohort = study.cohort
    sizes = [
        f"{grouped(len(cohort.rows(split)))} {words} images ({grouped(cohort.n_patients(split))} patients)"
        for split, words in _SPLITS.items()
    ]
    way = part(study.settings, "prepared").get("split")
    asked = part(study.settings, "prepared", "arguments").get("split")
    chosen = (
        "Epochs, thresholds, the best flat and the best hierarchical recipe were chosen on validation images"
        if study.results.recipes
        else "Thresholds were chosen on validation images, where there were predictions of them"
    )
    return (
        f"Images were divided into {and_words(sizes)}, with no patient in two of them."
        f"{_WAYS.get(str(way), _ASKED.get(str(asked), ''))} {chosen}, and test "
        "images were used for the final measures."
    )


def preprocessing_words(study: StudyFolder, recorded: Recorded) -> str:
    """What was done to an image before a network read it; empty where no run records its size."""
    asked = part(study.settings, "prepared", "arguments")
    size = recorded.environment("size")
    fit = FITS.get(str(asked.get("fit")), "")
    if not size:
        return ""
    grey = " Grey values were stretched from minimum to maximum." if asked.get("grey") == "minmax" else ""
    return (
        f"Images were {f'{fit} and ' if fit else ''}reduced to {size} x {size} pixels by area averaging, with 8 bits a "
        f"pixel.{grey} Grey values were scaled as the backbone's weights expect."
    )


def _thresholds(study: StudyFolder, cited: Cited) -> str:
    operating = part(study.results.comparison, "operating")
    sentence = operating.get("sentence")
    rule = cited(*_RULES.get(str(operating.get("rule")), ()))
    chosen = f": {sentence}{f' {rule}' if rule else ''}" if sentence else ""
    half = half_words(study.results)
    words = f"A threshold for each label and run was chosen on validation images{chosen}.{half}"
    derived = _derived(study, cited)
    return f"{words} {derived}" if derived else words


def _derived(study: StudyFolder, cited: Cited) -> str:
    """Corrections and ensembles, as far as there are any."""
    names = [str(name) for name in study.settings.get("posthoc") or ()]
    sources = [POSTHOC[kind].source for name in names if (kind := name.split(":")[0]) in POSTHOC]
    parts = []
    if names:
        works = cited.source("; ".join(sources))
        parts.append(f"Stored predictions were also corrected after training, by {and_words(names)} {works}.")
    if any(name.split(":")[0] == "em" for name in names):
        parts.append("Of these em alone saw the test images, without their labels.")
    if study.results.ensembles:
        parts.append(f"Ensembles average the probabilities of runs {cited('lakshminarayanan2017simple')}.")
    return " ".join(parts)


def _statistics(study: StudyFolder, cited: Cited) -> str:
    comparison = study.results.comparison
    bootstrap = part(comparison, "bootstrap")
    sentences = [
        f"The primary measure is {metric_name(study.results.primary)}, the mean over all labels; beside it stand the "
        "area under the ROC curve, F1, and F1 along the hierarchy "
        f"{cited('kiritchenko2006learning')}."
    ]
    draws = number(bootstrap, "draws")
    if draws is not None:
        sentences.append(
            f"Intervals at 95 % rest on {grouped(draws)} bootstrap draws over {bootstrap.get('unit', 'patient')}s, "
            "the same for all recipes; values are means over seeds."
        )
    if has_interval(comparison, "wilson-f1"):
        sentences.append(
            "Those of mean average precision and of single labels rest on leaving patients out in turn (jackknife); of "
            f"single labels, recall, precision and F1 have Wilson's interval {cited('wilson1927probable')}, and that "
            f"of average precision is at least that of a share {cited('boyd2013area')}."
        )
    sentences += _tests(comparison, cited)
    if part(comparison, "calibration"):
        sentences.append(
            "Calibration was measured by calibration error in bins of equal mass, and by slope and intercept of a "
            f"logistic fit {cited('cox1958two')}; clinical value by decision curves {cited('vickers2006decision')}."
        )
    by = [str(name) for name in part(comparison, "subgroups").get("by", ())]
    if by:
        sentences.append(
            f"Subgroups by {and_words([_BY.get(name, name) for name in by])} were compared by equal opportunity "
            f"{cited('hardt2016equality')}, without a correction for their number."
        )
    if part(comparison, "groups"):
        sentences.append(
            f"Findings above 10 % of the training images are the head, below 1 % the tail {cited('holste2024towards')}."
        )
    if part(comparison, "floor"):
        sentences.append("A logistic regression on view, age and sex alone gives the floor that shortcuts reach.")
    return " ".join(sentences)


def _tests(comparison: Any, cited: Cited) -> list[str]:
    """How differences were tested, as far as there are any."""
    contrasts: Sequence[Any] = comparison.get("contrasts") or ()
    if not contrasts:
        return []
    sentences = [f"P-values are two-sided and adjusted by Holm's method {cited('holm1979simple')} within each measure."]
    permutations = number(comparison, "permutations", "number")
    if permutations is not None:
        sentences.append(
            f"They were checked by {grouped(permutations)} permutations of predictions within patients "
            f"{cited('bandos2005permutation')}, and are given with the false-discovery rate "
            f"{cited('benjamini1995controlling')} and the difference detectable with 80 % power."
        )
    margin = number(comparison, "margin")
    if margin is not None:
        sentences.append(
            f"Equivalence within {margin:g} was tested by two one-sided tests {cited('schuirmann1987comparison')}."
        )
    return sentences


def _software(study: StudyFolder, recorded: Recorded) -> str:
    packages = [
        f"{name} {version}"
        for name in dict.fromkeys(name for each in recorded.environments for name in part(each, "packages"))
        if (version := recorded.environment("packages", name))
    ]
    machine = [word for word in (recorded.environment("processor"), recorded.environment("device")) if word]
    number_format = recorded.environment("dtype")
    return (
        f"ChestXpert {_version(study, recorded) or 'of unknown version'}"
        + (f" on Python {python}" if (python := recorded.environment("python")) else "")
        + (f", with {and_words(packages)}" if packages else "")
        + (f"; computed on {', '.join(machine)}" if machine else "")
        + (f" in {number_format}" if number_format else "")
        + f". Cohort fingerprint {study.cohort.fingerprint}"
        + (f", pixels {pixels}" if (pixels := recorded.environment("start", "pixels_fingerprint")) else "")
        + (f", weights {weights}" if (weights := recorded.environment("backbone", "weights_fingerprint")) else "")
        + "."
        + (
            f" The study has {times(len(study.results.recipes), 'recipe')}; each is given in full with its report."
            if study.results.recipes
            else ""
        )
    )
