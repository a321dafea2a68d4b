"""Caveats: each sentence follows from a figure, and says so where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.subgroups import FEWEST_PATIENTS
from chestxpert.report.cards.analyses import lead, useful_at
from chestxpert.report.cards.markdown import Section, bullets
from chestxpert.report.cards.people import SIMULATED
from chestxpert.report.cards.performance import fallbacks
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.evidence.stored import number, numbers, part
from chestxpert.report.results import finding_name
from chestxpert.report.scales import decimal, signed
from chestxpert.report.stored_values import Estimate
from chestxpert.report.words import and_words, times


def caveats_section(subject: CardSubject) -> Section:
    """All that a reader of the figures has to know beside them."""
    return Section("Caveats", [bullets(caveats(subject))])


def caveats(subject: CardSubject) -> list[str]:
    """The sentences, in the order in which they weigh."""
    found = [
        *([SIMULATED] if subject.cohort.simulated else []),
        *_not_learnt(subject),
        *_few(subject),
        *_not_detailed(subject),
        *_floor(subject),
        *_calibration(subject),
        *_benefit(subject),
        *_seeds(subject),
        *_networks(subject),
        *_after_training(subject),
    ]
    fallback = fallbacks(subject)
    if fallback:
        found.append(f"Thresholds of {and_words(fallback)} are 0.5: no validation image gave another.")
    return found


def _names(labels: Sequence[str]) -> str:
    return and_words([finding_name(label) for label in labels])


def _not_learnt(subject: CardSubject) -> Iterator[str]:
    labels = [str(label) for label in subject.entry.get("not_learnt", ())]
    if labels:
        yield f"It could not learn {_names(labels)}: no training image tells. Figures of these labels mean nothing."
    counts = subject.cohort.counts("train")
    if none := [label for label in subject.cohort.label_space.findings if not counts[label] and label not in labels]:
        yield f"No training image carries {_names(none)}."


def carriers(cohort: Cohort) -> dict[str, int]:
    """How many test patients have an image with each label."""
    rows = cohort.rows("test")
    labels, patients = cohort.labels(rows), cohort.patients[rows]
    return {label: len(set(patients[labels[:, column]])) for column, label in enumerate(cohort.label_space.labels)}


def _few(subject: CardSubject) -> Iterator[str]:
    """Findings with too few test patients for a figure to be held on to, and with none."""
    carried = carriers(subject.cohort)
    none = [label for label, number in carried.items() if not number]
    few = {label: number for label, number in carried.items() if 0 < number < FEWEST_PATIENTS}
    if none:
        yield f"No test image carries {_names(none)}: how well it is told was not measured."
    if few:
        told = [f"{finding_name(label)} ({times(number, 'patient')})" for label, number in few.items()]
        yield (
            f"Fewer than {FEWEST_PATIENTS} test patients carry {and_words(told)}: figures of these findings can be far "
            "off, and their intervals with them."
        )


def _not_detailed(subject: CardSubject) -> Iterator[str]:
    """That a study measures a line in every respect only if an answer rests on it."""
    detailed = [str(name) for name in part(subject.results.comparison, "operating").get("detailed") or ()]
    if detailed and subject.line not in detailed:
        yield (
            f"Subgroups, net benefit, slopes and the lead over the shortcut floor have intervals in this study for "
            f"{and_words(detailed)} alone. The card of a single run has them for that run."
        )


def _floor(subject: CardSubject) -> Iterator[str]:
    """Whether it is shown to know more than view, age and sex say."""
    stored = part(subject.results.comparison, "floor")
    over = Estimate.of(part(stored, "above", subject.line).get("macro_auroc_findings"))
    if over.low is None:
        reason = "" if stored else ": the comparison has no shortcut floor"
        yield f"Whether it is above what view, age and sex alone reach is not measured{reason}."
        return
    size = f"{signed(over.mean)} ({signed(over.low)} to {signed(over.high)})"
    if over.low > 0:
        yield f"Its macro AUROC over the findings is above what view, age and sex alone reach, by {size}."
    else:
        yield f"It is NOT shown to be above what view, age and sex alone reach: its macro AUROC differs by {size}."
    yield from _floor_by_finding(subject)


def _floor_by_finding(subject: CardSubject) -> Iterator[str]:
    """The same of single findings; an interval over few patients is too narrow to be believed."""
    carried = carriers(subject.cohort)
    leads = {label: lead(subject, label).low for label in subject.cohort.label_space.findings}
    missing = [label for label, low in leads.items() if low is None]
    few = [label for label in leads if label not in missing and carried[label] < FEWEST_PATIENTS]
    told = {label: low for label, low in leads.items() if low is not None and label not in few}
    below = [label for label, low in told.items() if low <= 0]
    if below:
        yield f"Finding by finding it is not shown to be above that floor for {_names(below)}."
    elif told:
        yield f"Finding by finding it is above that floor for each of {_names(list(told))}."
    if few:
        yield f"Too few test patients carry {_names(few)} to tell whether it is above that floor there."
    if missing:
        yield f"Whether it is above that floor is not measured for {_names(missing)}."


def _calibration(subject: CardSubject) -> Iterator[str]:
    """Findings whose probabilities are shown to be too extreme, too timid, too high or too low."""
    each = part(subject.results.comparison, "calibration", "recipes", subject.line, "per_label")
    slopes, levels = (
        {label: Estimate.of(part(each, label).get(key)) for label in each} for key in ("slope", "in_the_large")
    )
    known = {label: slope for label, slope in slopes.items() if slope.low is not None and slope.high is not None}
    if not known:
        yield "Calibration: no slope with an interval was measured."
    else:
        yield from _sided(
            known, 1.0, "Overconfident (calibration slope shown to be below 1)",
            "Underconfident (calibration slope shown to be above 1)",
        )  # fmt: skip
        missing = [label for label in each if label not in known]
        if missing:
            yield f"Calibration slope: without an interval for {_names(missing)}."
    told = {label: level for label, level in levels.items() if level.low is not None and level.high is not None}
    yield from _sided(
        told, 0.0, "Probabilities shown to be too high on average (calibration in the large below 0)",
        "Probabilities shown to be too low on average (calibration in the large above 0)",
    )  # fmt: skip


def _sided(known: dict[str, Estimate], wanted: float, below: str, above: str) -> Iterator[str]:
    """Labels whose interval is below a value, and those whose is above it."""
    low = [label for label, each in known.items() if each.high is not None and each.high < wanted]
    high = [label for label, each in known.items() if each.low is not None and each.low > wanted]
    if low:
        yield f"{below}: {_names(low)}."
    if high:
        yield f"{above}: {_names(high)}."


def _benefit(subject: CardSubject) -> Iterator[str]:
    useful = {label: useful_at(subject, label) for label in subject.cohort.label_space.findings}
    if all(each is None for each in useful.values()):
        yield "Net benefit: not measured."
    elif none := [label for label, each in useful.items() if each == []]:
        asked = numbers(part(subject.results.comparison, "operating", "net_benefit").get("thresholds"))
        yield (
            f"At none of the {len(asked)} probabilities asked is acting on its answer shown to be worth more than "
            f"acting on all images or on none: {_names(none)}."
        )


def _seeds(subject: CardSubject) -> Iterator[str]:
    results, primary = subject.results, subject.results.primary
    spread, values = number(subject.entry, "metrics", primary, "sd_seeds"), results.per_seed(subject.line, primary)
    if spread is None or not values:
        has = "has one" if subject.seeds else "is one prediction of several runs"
        yield f"What other seeds would change is not measured: it {has}."
        return
    yield (
        f"Single seeds reach {decimal(min(values))} to {decimal(max(values))} on the primary metric (standard "
        f"deviation {decimal(spread)}, {len(values)} seeds)."
    )


def _networks(subject: CardSubject) -> Iterator[str]:
    recorded = subject.recorded
    frozen = [name for name, recipe in recorded.recipes.items() if recipe.get("freeze") is True]
    if frozen:
        which = "The backbone" if len(frozen) == len(subject.recipes) else f"The backbone of {and_words(frozen)}"
        yield f"{which} was kept as it came: only heads on its features were trained."
    sources = [str(part(each, "backbone").get("source") or "") for each in recorded.environments]
    if any(source.startswith("random") for source in sources):
        yield "Its weights began at random numbers: it was not pretrained."


def _after_training(subject: CardSubject) -> Iterator[str]:
    if subject.kind == "ensemble" or subject.base in subject.results.ensembles:
        average = subject.results.done(subject.base)[0].get("average")
        yield f"It costs as much as its {times(subject.n_runs, 'run')} together."
        if average == "ranks":
            yield "Its answers are mean ranks, no probabilities: calibration and net benefit do not apply to them."
    if subject.kind == "posthoc":
        name = subject.line.removeprefix(f"{subject.base}+")
        seen = "test images, without their labels" if name.split(":")[0] == "em" else "validation images"
        yield f"It was corrected after training by {name}, which looked at {seen}."
