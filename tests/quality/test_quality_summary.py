"""The summary says first what is worst, and counts everything."""

from pathlib import Path

import pytest

from chestxpert.errors import DataError
from chestxpert.quality.remarks import CHECKS, about_check, in_order, remarks
from chestxpert.quality.summary import count_checks, leaks, notes, require_no_leaks, summarise
from quality.making import make_cohort

IDS = [f"{i}.png" for i in range(8)]
COHORT = make_cohort(IDS, split=["train"] * 6 + ["test"] * 2)
LEAK = remarks("near-duplicate", ["0.png", "1.png"], ["Two splits.", "One patient."], other=["7.png", "2.png"])
AGES = remarks("age", IDS[:5], [f"Age {i}." for i in range(5)])
NOTE = about_check("bit-depth", "Not made: too old.")


def test_counts_leave_remarks_about_checks_aside() -> None:
    assert count_checks(in_order([AGES, NOTE, LEAK])) == {"near-duplicate": 2, "age": 5}


def test_a_leak_is_two_images_in_two_splits() -> None:
    quality = in_order([LEAK, AGES, about_check("near-duplicate", "Not in full.")])
    assert leaks(quality, COHORT)[["image_id", "other"]].to_numpy().tolist() == [["0.png", "7.png"]]
    with pytest.raises(DataError, match=r"LEAK: 1 pair .*0\.png and 7\.png.*quality\.csv"):
        require_no_leaks(quality, COHORT, Path("data"))


def test_without_a_leak_nothing_is_raised() -> None:
    require_no_leaks(in_order([LEAK[1:], AGES, NOTE]), COHORT, Path("data"))


def test_the_summary_shows_leaks_first_then_each_check_with_examples() -> None:
    text = summarise(in_order([LEAK, AGES, NOTE]), COHORT, Path("data"))
    lines = text.splitlines()
    assert lines[0] == f"8 images checked, 7 remarks. Each is listed in {Path('data/quality.csv')}"
    assert lines[2].startswith("LEAK: 1 pair of images is the same radiograph in two splits")
    assert text.index("near-duplicate: 2") < text.index("age: 5")
    assert "  0.png and 7.png: Two splits." in lines
    assert "  2.png: Age 2." in lines
    assert "  3.png: Age 3." not in lines
    assert "  ... and 2 more" in lines
    assert "bit-depth: Not made: too old." in lines
    assert all(CHECKS[check].advice in text for check in ("near-duplicate", "age"))
    assert lines[-1].startswith("Nothing found: undecodable, blank, near-constant, exact-duplicate, sex-changes")
    assert "bit-depth" not in lines[-1]


def test_notes_are_a_leak_what_is_about_labels_and_counts() -> None:
    labels = about_check("label-version", "The labels are NIH's first.")
    first, second, third = notes(in_order([LEAK, AGES, NOTE, labels]), COHORT)
    assert first.startswith("LEAK: 1 pair")
    assert second == "The labels are NIH's first."
    assert "near-duplicate 2, age 5;" in third
    assert notes(in_order([NOTE]), COHORT) == ()


def test_no_remark_at_all() -> None:
    text = summarise(in_order([]), COHORT, Path("data"))
    assert "8 images checked, 0 remarks" in text
    assert f"Nothing found: {', '.join(CHECKS)}" in text
    assert "LEAK" not in text
