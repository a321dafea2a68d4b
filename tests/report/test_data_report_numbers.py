"""What the page of a data set says is what brute force counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from report_cohort import make_cohort

from chestxpert.cohort.source import read_source, split_source
from chestxpert.cohort.table import Cohort, make_table
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.report.cohort_table import cohort_table
from chestxpert.report.dataset.figure_combinations import combinations, combinations_figure
from chestxpert.report.dataset.figure_frequency import frequency_figure
from chestxpert.report.dataset.figure_images import images_figure
from chestxpert.report.dataset.figure_people import people, people_figure
from chestxpert.report.dataset.figure_presence import presence, presence_figure
from chestxpert.report.dataset.figure_shift import shift_figure
from chestxpert.report.dataset.figure_together import together_figure
from chestxpert.report.dataset.samples import draw_samples
from chestxpert.report.dataset.shift import ENDLESS, prevalence_shifts
from chestxpert.report.dataset.subject import PARTS, Subject
from chestxpert.report.figures_cohort import cooccurrence_figure
from chestxpert.report.scales import grouped, percent, signed


class PartlyKnown(Cohort):
    """A cohort that says where its labels are known."""

    def known(self, rows: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
        """Every third image leaves two findings open, unless one of them is seen; Hernia is never known."""
        known = np.ones((len(self), len(self.label_space)), dtype=np.bool_)
        third = np.arange(len(self)) % 3 == 0
        for finding in ("Edema", "Mass", "Hernia"):
            column = self.label_space.index(finding)
            known[:, column] = ~third | self.labels()[:, column]
        known[:, self.label_space.index("Hernia")] = False
        return known


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    made = make_cohort(np.random.default_rng(5), scale=0.4)
    table = made.table.copy()
    table.loc[::7, "age"] = np.nan
    table.loc[::5, "sex"] = ""
    table.loc[::9, "view"] = "lateral"
    return Cohort(table, made.label_space)


@pytest.fixture(scope="module")
def subject(cohort: Cohort) -> Subject:
    return Subject.of(cohort)


@pytest.fixture(scope="module")
def partly(cohort: Cohort) -> Subject:
    table = cohort.table.copy()
    table["Hernia"] = False
    table["No Finding"] = ~table[list(NIH15.findings)].any(axis=1)
    return Subject.of(PartlyKnown(table, NIH15))


def cells(words: list[str]) -> list[str]:
    """Cells without the thin spaces of large numbers."""
    return [cell.replace("\N{NARROW NO-BREAK SPACE}", "") for cell in words]


def test_labels_stand_from_frequent_to_rare_in_training(subject: Subject, cohort: Cohort) -> None:
    train = cohort.table[cohort.table["split"] == "train"]
    counts = [int(train[label].sum()) for label in subject.labels]
    assert counts == sorted(counts, reverse=True)
    assert sorted(subject.labels) == sorted(NIH15.labels)
    assert "No Finding" not in subject.findings


def test_presence_counts_images_with_any_finding(subject: Subject, cohort: Cohort) -> None:
    rows = {row[0]: cells(list(row)) for row in presence_figure(subject).tables[0].rows}
    for words, splits in PARTS.items():
        part = cohort.table[cohort.table["split"].isin(splits)]
        found = int(part[list(NIH15.findings)].any(axis=1).sum())
        none = len(part) - found
        assert rows[words] == [
            words, str(len(part)), str(found), percent(found / len(part)), str(none), percent(none / len(part)),
        ]  # fmt: skip


def test_an_image_is_not_called_free_of_findings_where_one_is_not_known() -> None:
    space = LabelSpace("two", ("A", "B"), no_finding=None)
    labels = np.array([[True, False], [False, False], [False, False], [False, True]])

    class Open(Cohort):
        def known(self) -> npt.NDArray[np.bool_]:
            return np.array([[True, False], [True, True], [False, True], [True, True]])

    table = make_table([f"{n}.png" for n in range(4)], "wxyz", labels, space, split=["train", "val", "test", "test"])
    assert presence(Subject.of(Open(table, space))).tolist() == [0, 1, 2, 0]
    figure = presence_figure(Subject.of(Open(table, space)))
    assert figure.tables[0].head[-2:] == ["not known", "share"]
    assert [key.words for key in figure.keys] == ["a finding", "no finding", "not known"]


def test_frequencies_are_those_of_the_table(subject: Subject, cohort: Cohort) -> None:
    table = frequency_figure(subject).tables[0]
    assert [words for words, _ in table.groups[1:]] == list(PARTS)
    for row, label in zip(table.rows, subject.labels, strict=True):
        expected = []
        for splits in PARTS.values():
            part = cohort.table[cohort.table["split"].isin(splits)]
            expected += [str(int(part[label].sum())), percent(float(part[label].mean()), 2)]
        assert cells(list(row))[2:] == expected
        train = cohort.table.loc[cohort.table["split"] == "train", label].mean()
        assert row[1] == ("head" if train > 0.1 else "tail" if train < 0.01 else "medium")


def test_shares_leave_out_what_is_not_known(partly: Subject) -> None:
    table = frequency_figure(partly).tables[0]
    rows = {row[0]: cells(list(row)) for row in table.rows}
    truth, known = partly.truth[:, partly.labels.index("Mass")], partly.known[:, partly.labels.index("Mass")]
    assert 0 < (~known).sum() < len(known)
    assert rows["Mass"][-3:] == [str(truth.sum()), percent(truth.sum() / known.sum(), 2), str((~known).sum())]
    assert rows["Hernia"][-2:] == ["not defined", str(len(known))]
    assert rows["Infiltration"][-1] == "0"


def test_a_combination_with_an_unknown_finding_is_not_counted(partly: Subject) -> None:
    findings = [f for f in partly.findings if f != "Hernia"]
    columns = partly.columns(findings)
    whole = partly.known[:, columns].all(axis=1)
    figure = combinations_figure(partly)
    assert figure is not None
    assert f"So do {(~whole).sum()} images of which a finding is not known." in cells([figure.caption])[0]
    assert "Hernia" not in str(figure.picture)
    counts = Counter(
        tuple(findings[i] for i in np.flatnonzero(row)) for row in partly.truth[np.ix_(whole, columns)] if row.any()
    )
    assert [int(cells([row[2]])[0]) for row in figure.tables[0].rows] == [n for _, n in counts.most_common(20)]


def test_combinations_of_a_cohort_add_up_to_its_images(subject: Subject, cohort: Cohort) -> None:
    figure = combinations_figure(subject)
    assert figure is not None
    counted = Counter(
        " + ".join(f.replace("_", " ") for f in subject.findings if row[f]) for _, row in cohort.table.iterrows()
    )
    empty = counted.pop("")
    assert f"{grouped(empty)} images without any finding" in figure.caption
    for words, size, images, share in figure.tables[0].rows:
        assert counted[words] == int(cells([images])[0])
        assert int(size) == words.count("+") + 1
        assert share == percent(counted[words] / len(cohort), 2)
    rest = sum(counted.values()) - sum(int(cells([row[2]])[0]) for row in figure.tables[0].rows)
    assert f"{grouped(len(counted) - 20)} more combinations, {grouped(rest)} images together" in figure.caption


@given(st_numpy.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 11))))
def test_combinations_are_what_a_counter_finds(truth: npt.NDArray[np.bool_]) -> None:
    known = np.ones_like(truth)
    known[::4, 0] = False
    truth[::4, 0] = False
    found = combinations(truth, known)
    counts = Counter(tuple(row) for row in truth[known.all(axis=1)].tolist() if any(row))
    assert {tuple(row): n for row, n in zip(found.members.tolist(), found.counts.tolist(), strict=True)} == counts
    assert found.counts.tolist() == sorted(found.counts.tolist(), reverse=True)
    assert found.empty + found.unsure + found.counts.sum() == len(truth)


def test_the_heat_map_leaves_out_images_whose_column_is_not_known(partly: Subject) -> None:
    names = ["Infiltration", "Mass", "Edema"]
    columns = partly.columns(names)
    truth, known = partly.truth[:, columns], partly.known[:, columns]
    figure = cooccurrence_figure(names, truth, known)
    both = sum(1 for t in truth if t[0] and t[1])
    seen = sum(1 for t, k in zip(truth, known, strict=True) if t[0] and k[1])
    assert seen < truth[:, 0].sum()
    assert f"of images with Infiltration, Mass: {percent(both / seen)}" in str(figure.picture)
    alone = sum(1 for t, k in zip(truth, known, strict=True) if k.all() and t[0] and t.sum() == 1)
    sure = sum(1 for t, k in zip(truth, known, strict=True) if k.all() and t[0])
    assert figure.tables[0].rows[0][2] == percent(alone / sure, 0)


def test_a_finding_that_is_never_known_does_not_make_every_other_unsure(partly: Subject) -> None:
    figure = together_figure(partly)
    assert figure is not None
    alone = {row[0]: row[2] for row in figure.tables[0].rows}
    assert alone["Hernia"] == "not defined"
    columns = partly.columns([f for f in partly.findings if f != "Hernia"])
    sure = partly.truth[np.ix_(partly.known[:, columns].all(axis=1), columns)]
    effusion = sure[sure[:, columns.index(partly.labels.index("Effusion"))]]
    assert alone["Effusion"] == percent(float((effusion.sum(axis=1) == 1).mean()), 0)


def test_a_heat_map_of_many_findings_draws_the_most_frequent_ones() -> None:
    labels = np.random.default_rng(0).random((300, 25)) < 0.2
    figure = cooccurrence_figure([f"finding {n}" for n in range(25)], labels)
    assert "Only the 20 most frequent findings are drawn" in figure.caption
    assert len(figure.tables[0].rows) == 25
    assert str(figure.picture).count(">finding 19</text>") == 2 * 2  # a row and a column in each of two widths
    assert ">finding 20</text>" not in str(figure.picture)


def test_lift_is_that_of_the_images_where_both_findings_are_known(partly: Subject) -> None:
    figure = together_figure(partly)
    assert figure is not None
    lifts = {row[0]: dict(zip(figure.tables[1].head, row, strict=True)) for row in figure.tables[1].rows}
    for a, b in [("Infiltration", "Mass"), ("Mass", "Edema"), ("Effusion", "Atelectasis")]:
        i, j = partly.columns([a, b])
        sure = partly.truth[partly.known[:, i] & partly.known[:, j]]
        expected = (sure[:, i] & sure[:, j]).mean() / (sure[:, i].mean() * sure[:, j].mean())
        assert lifts[a][b] == lifts[b][a] == f"{expected:.2f}"
    assert lifts["Mass"]["Hernia"] == "not defined"


def resampled(cohort: Cohort, splits: tuple[str, ...], label: str, draws: int, seed: int) -> list[float]:
    """Prevalence in each draw of patients, by putting their images together one patient at a time."""
    part = cohort.table[cohort.table["split"].isin(splits)]
    images = {patient: rows[label].to_numpy() for patient, rows in part.groupby("patient_id")}
    patients = sorted(images)
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(patients), size=len(patients)) for _ in range(draws)]
    return [float(np.concatenate([images[patients[p]] for p in draw]).mean()) for draw in drawn]


def test_intervals_of_the_shift_are_those_of_a_bootstrap_by_hand(subject: Subject, cohort: Cohort) -> None:
    shifts = prevalence_shifts(subject, draws=40, seed=3)
    for label in ("Effusion", "No Finding"):
        before = np.array(resampled(cohort, ("train", "val"), label, 40, 3))
        after = np.array(resampled(cohort, ("test",), label, 40, 4))
        shift = shifts[label]
        assert shift.difference[1:] == pytest.approx(tuple(np.quantile(after - before, [0.025, 0.975])))
        assert shift.ratio[1:] == pytest.approx(tuple(np.quantile(after / before, [0.025, 0.975])))
        outside = cohort.table["split"] != "test"
        assert shift.before == pytest.approx(cohort.table.loc[outside, label].mean())
        assert shift.after == pytest.approx(cohort.table.loc[~outside, label].mean())
        assert shift.ratio[0] == pytest.approx(shift.after / shift.before)


def _one_finding(train: list[bool], test: list[bool]) -> Subject:
    space = LabelSpace("one", ("A",), no_finding=None)
    count = len(train) + len(test)
    split = ["train"] * len(train) + ["test"] * len(test)
    ids = [str(n) for n in range(count)]
    return Subject.of(Cohort(make_table(ids, ids, np.array([train + test]).T, space, split=split), space))


def test_a_ratio_without_cases_is_not_defined_and_one_of_few_has_no_end() -> None:
    nothing = prevalence_shifts(_one_finding([False] * 20, [True] * 5 + [False] * 15), 50)["A"]
    assert nothing.difference[0] == 0.25
    assert all(np.isnan(nothing.ratio))
    few = prevalence_shifts(_one_finding([True] + [False] * 19, [True] * 10 + [False] * 10), 200)["A"]
    assert few.ratio[0] == pytest.approx(10)
    assert few.ratio[2] == ENDLESS
    assert few.clear
    figure = shift_figure({"A": few, "B": nothing}, 200)
    assert figure.tables[0].rows[0][4].endswith("no end]")
    assert figure.tables[0].rows[1][4] == "not defined"
    assert str(figure.picture).count(">not defined</text>") == 2  # once a width


def test_the_same_prevalence_is_no_shift() -> None:
    shift = prevalence_shifts(_one_finding([True, False] * 30, [True, False] * 30), 200)["A"]
    assert shift.difference[0] == 0
    assert not shift.clear
    assert "0 of 1 labels" in shift_figure({"A": shift}, 200).caption
    assert not prevalence_shifts(_one_finding([False] * 9, [False] * 9), 50)["A"].clear


def test_without_test_images_there_is_no_shift_to_speak_of() -> None:
    assert prevalence_shifts(_one_finding([True, False], []), 10) == {}


def test_people_are_counted_with_those_of_whom_something_is_missing(subject: Subject, cohort: Cohort) -> None:
    groups = {group.words: group for group in people(subject)}
    for words, part in [
        ("All images", cohort.table),
        ("Pleural Thickening", cohort.table[cohort.table["Pleural_Thickening"]]),
    ]:
        group = groups[words]
        assert group.images == len(part)
        expected = part["age"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).to_numpy()
        assert group.ages == pytest.approx(expected)
        assert group.ages_missing == part["age"].isna().sum() > 0
        assert group.counts["sex"] == part["sex"].value_counts().to_dict()
        assert group.counts["view"] == part["view"].value_counts().to_dict()
    ages, shares = people_figure(subject).tables
    assert ages.rows[0][-1] == grouped(groups["All images"].ages_missing)
    assert [cell for cell in shares.head if cell != "share"][-1] == "not known"
    assert "lateral" in shares.head
    for row in shares.rows:
        assert sum(int(cell) for cell in cells(list(row))[1:7:2]) == groups[row[0]].images


def test_images_per_patient_are_those_of_a_group_by(subject: Subject, cohort: Cohort) -> None:
    bins, summary = images_figure(subject).tables
    for place, split in enumerate(("train", "val", "test")):
        numbers = cohort.table[cohort.table["split"] == split].groupby("patient_id").size()
        expected = {str(n): int((numbers == n).sum()) for n in range(1, 6)}
        assert {row[0]: int(row[1 + 2 * place]) for row in bins.rows} == expected
    numbers = cohort.table.groupby("patient_id").size()
    assert summary.rows[-1][1:3] == [grouped(len(numbers)), f"{numbers.mean():.2f}"]
    assert summary.rows[-1][-1] == str(numbers.max())


def test_samples_are_training_images_of_different_patients_that_carry_the_finding(
    subject: Subject, cohort: Cohort
) -> None:
    for label in subject.labels:
        rows = draw_samples(subject, label, 8, seed=1)
        drawn = cohort.table.iloc[rows]
        possible = cohort.table[(cohort.table["split"] == "train") & cohort.table[label]]
        assert len(drawn) == min(8, possible["patient_id"].nunique())
        assert drawn[label].all()
        assert set(drawn["split"]) <= {"train"}
        assert drawn["patient_id"].is_unique
        assert rows.tolist() == draw_samples(subject, label, 8, seed=1).tolist()
    assert draw_samples(subject, "Effusion", 8, 1).tolist() != draw_samples(subject, "Effusion", 8, 2).tolist()
    assert len(draw_samples(subject, "Effusion", 0, 1)) == 0


def test_every_image_of_a_finding_can_be_drawn(subject: Subject, cohort: Cohort) -> None:
    possible = set(np.flatnonzero(((cohort.table["split"] == "train") & cohort.table["Hernia"]).to_numpy()).tolist())
    drawn = {int(row) for seed in range(60) for row in draw_samples(subject, "Hernia", 2, seed)}
    assert drawn == possible


def test_augmented_copies_are_left_aside(cohort: Cohort) -> None:
    train = cohort.table[cohort.table["split"] == "train"].head(5)
    copies = train.assign(image_id="copy-" + train["image_id"], origin=train["image_id"])
    grown = Cohort(pd.concat([cohort.table, copies], ignore_index=True), NIH15)
    subject = Subject.of(grown)
    assert subject.copies == 5
    assert subject.table.equals(cohort.table)


@pytest.fixture(scope="module")
def nih(nih_tables: Path) -> Subject:
    source = read_source(nih_tables, NIH15)
    return Subject.of(Cohort(split_source(source, source.frame, "official", 0.2, 0).frame, NIH15))


def test_the_full_tables_show_what_is_known_of_them(nih: Subject) -> None:
    assert len(nih.cohort) == 112_120
    shifts = prevalence_shifts(nih, draws=200)
    pneumothorax, none = shifts["Pneumothorax"], shifts["No Finding"]
    assert (round(100 * pneumothorax.before, 2), round(100 * pneumothorax.after, 1)) == (3.05, 10.4)
    assert (round(100 * none.before, 1), round(100 * none.after, 1)) == (58.4, 38.5)
    assert pneumothorax.clear
    assert none.clear
    rows = {row[0]: row for row in shift_figure(shifts, 200).tables[0].rows}
    assert rows["Pneumothorax"][3].startswith(signed(100 * (2665 / 25_596 - 2637 / 86_524), 2))
    summary = {row[0]: row for row in images_figure(nih).tables[1].rows}
    assert [summary[words][2] for words in ("Training and validation", "Test")] == ["3.09", "9.15"]
    people = {row[0]: row for row in cohort_table(nih.cohort, PARTS).rows}
    assert [people[words][4] for words in ("Training and validation", "Test")] == ["35 %", "57 %"]
