"""Means, intervals and differences, against a loop that copies images of drawn patients."""

from __future__ import annotations

import numpy as np
import pytest

from chestxpert.evaluation.localization.cases import Case
from chestxpert.evaluation.localization.contrasts import TESTED, contrast_lines, is_shown, sentences
from chestxpert.evaluation.localization.measure import COLUMNS, USUAL, Measured
from chestxpert.evaluation.localization.summary import ENOUGH, Groups, difference, summarise

RNG = np.random.default_rng(5)
CASES = [
    Case(f"{n}.png", "Mass" if n < 40 else "Nodule", f"p{n % 23}", "test", np.array([[0, 0, 0.5, 0.5]]))
    for n in range(60)
]
WIDTH = len(COLUMNS)


def values(shift: float = 0.0) -> np.ndarray:
    found = np.clip(RNG.random((60, WIDTH)) + shift, 0, 1)
    found[RNG.random((60, WIDTH)) < 0.1] = np.nan
    return found


def test_draws_are_those_of_copied_rows() -> None:
    groups = Groups.of(CASES, 50, 0)
    table = values()
    drawn = groups.drawn_means(table)
    for draw in range(50):
        copies = np.repeat(np.arange(60), groups.draws.counts[draw][groups.draws.patient_of_image])
        for place, finding in enumerate(groups.findings):
            rows = [row for row in copies if CASES[row].finding == finding]
            np.testing.assert_allclose(drawn[draw, place], np.nanmean(table[rows], axis=0))


def test_estimates_and_what_is_undefined() -> None:
    groups = Groups.of(CASES, 200, 0)
    table = values()
    table[:40, 1] = np.nan
    per_finding, over = summarise(table, groups)
    assert per_finding["Mass"]["pointing"]["mean"] == pytest.approx(np.nanmean(table[:40, 0]))
    assert per_finding["Mass"]["pointing"]["n_undefined"] == np.isnan(table[:40, 0]).sum()
    assert np.isnan(per_finding["Mass"]["energy"]["mean"])
    assert (over["energy"]["n_defined"], over["energy"]["n_undefined"]) == (1, 1)
    assert over["energy"]["mean"] == pytest.approx(per_finding["Nodule"]["energy"]["mean"])
    expected = np.mean([per_finding[finding]["pointing"]["mean"] for finding in groups.findings])
    assert over["pointing"]["mean"] == pytest.approx(expected)
    assert over["pointing"]["low"] < over["pointing"]["mean"] < over["pointing"]["high"]


def test_where_all_patients_agree_the_interval_has_a_width() -> None:
    """Wilson's interval of 0 of n and n of n, typed in: n / (n + z^2)."""
    groups = Groups.of(CASES, 100, 0)
    per_finding, _ = summarise(np.ones((60, WIDTH)), groups)
    n, z = 23, 1.959963984540054
    entry = per_finding["Mass"]["pointing"]
    assert (entry["low"], entry["high"]) == (pytest.approx(n / (n + z**2)), 1)
    assert per_finding["Mass"]["detected"]["low"] == 1, "a count is no share"


def test_few_patients_have_no_interval() -> None:
    cases = CASES[:40] + [Case(f"{n}.png", "Nodule", f"p{n % (ENOUGH - 1)}", "test", CASES[0].boxes) for n in range(20)]
    groups = Groups.of(cases, 100, 0)
    per_finding, over = summarise(values(), groups)
    assert np.isnan(per_finding["Nodule"]["pointing"]["low"])
    assert per_finding["Nodule"]["pointing"]["mean"] > 0
    assert over["pointing"]["mean"] == per_finding["Mass"]["pointing"]["mean"], "nor a part in the mean over findings"
    assert over["pointing"]["n_defined"] == 1
    _, apart = difference(values(), values(), groups)
    assert np.isnan(apart[0]["Nodule"]["p"])
    assert not np.isnan(apart[0]["Mass"]["p"])


def test_differences_are_paired_case_by_case() -> None:
    groups = Groups.of(CASES, 300, 0)
    base = values()
    better = base + 0.1
    better[3, 0] = np.nan
    over, per_finding = difference(better, base, groups)
    assert over[0]["difference"] == pytest.approx(0.1)
    assert over[0]["low"] == pytest.approx(0.1), "what all cases gain has no spread, although both lines have"
    assert per_finding[0]["Mass"]["difference"] == pytest.approx(0.1)
    assert over[0]["p"] == pytest.approx(2 / 301)
    same, _ = difference(base, base, groups)
    assert same[0]["p"] == 1


def _lines(gain: float) -> dict[str, Measured]:
    base = RNG.random((60, WIDTH))
    nothing = np.full((60, 1, 20), np.nan)
    noisy = np.clip(base + gain + 0.02 * RNG.normal(size=base.shape), 0, 1)
    return {"ours": Measured(noisy, nothing), "theirs": Measured(base, nothing), USUAL: Measured(base[::-1], nothing)}


def test_contrasts_are_adjusted_for_their_number() -> None:
    groups = Groups.of(CASES, 400, 0)
    entries = contrast_lines(_lines(0.3), ["ours", "theirs"], groups)
    assert len(entries) == 3 * len(TESTED)
    family = [entry for entry in entries if entry["measure"] == "pointing"]
    assert [(entry["a"], entry["b"], entry["kind"]) for entry in family] == [
        ("ours", USUAL, "baseline"), ("theirs", USUAL, "baseline"), ("ours", "theirs", "pair"),
    ]  # fmt: skip
    smallest = min(family, key=lambda entry: entry["p"])
    assert smallest["p_adjusted"] == pytest.approx(min(1, 3 * smallest["p"]))
    assert is_shown(family[2])
    words = sentences(entries, simulated=True)
    assert len(words) == 3
    assert words[2].startswith("On simulated images, ours points into the boxes more often than theirs: +0.")


def test_no_difference_is_called_so() -> None:
    groups = Groups.of(CASES, 400, 0)
    lines = _lines(0.0)
    words = sentences(contrast_lines(lines | {"ours": lines["theirs"]}, ["ours"], groups), simulated=False)
    assert "cannot be told from always pointing at the usual place" in words[0]
    assert "no difference shown" in words[0]


def test_too_few_patients_are_called_so() -> None:
    cases = [Case(each.image_id, each.finding, f"p{n % 4}", "test", each.boxes) for n, each in enumerate(CASES)]
    words = sentences(contrast_lines(_lines(0.3), ["ours"], Groups.of(cases, 50, 0)), simulated=False)
    assert "too few patients" in words[0]
