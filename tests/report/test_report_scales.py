import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.report import scales

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=20))
def test_domain_holds_every_value(values: list[float]) -> None:
    low, high = scales.domain(values)
    assert low < high
    assert low <= min(values) + 1e-6
    assert max(values) <= high + 1e-6


def test_domain_ignores_what_is_not_defined() -> None:
    assert scales.domain([None, math.nan, 0.2, 0.4]) == scales.domain([0.2, 0.4])
    low, high = scales.domain([None])
    assert low < high


@given(numbers, st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_round_and_few(low: float, span: float, most: int) -> None:
    scale = scales.Scale(low, low + span, 0, 100)
    ticks = scale.ticks(most)
    assert len(ticks) <= most
    step = scales.tick_step(scale.high - scale.low, most)
    assert all(scale.low - 0.001 * step <= tick <= scale.high + 0.001 * step for tick in ticks)


def test_scale_keeps_pixels_within_its_room() -> None:
    scale = scales.Scale(0, 1, 10, 30)
    assert [scale(value) for value in (-1, 0, 0.25, 1, 9)] == [10, 10, 15, 30, 30]


@pytest.mark.parametrize(
    ("value", "step", "words"),
    [(0.25, 0.25, "0.25"), (0.2, 0.1, "0.2"), (-0.05, 0.05, "−0.05"), (2000, 500, "2\u202f000"), (0.0, 0.025, "0.000")],  # noqa: RUF001
)
def test_tick_text_has_the_decimals_its_step_needs(value: float, step: float, words: str) -> None:
    assert scales.tick_text(value, step) == words


def test_undefined_is_said_and_never_zero() -> None:
    for write in (scales.decimal, scales.signed, scales.percent, scales.p_value, scales.short, scales.duration):
        assert write(None) == "not defined"
        assert write(math.nan) == "not defined"
        assert write(0.0) != "not defined"


def test_signed_rounds_before_it_decides_on_a_sign() -> None:
    assert scales.signed(0.0123) == "+0.012"
    assert scales.signed(-0.0123) == "−0.012"  # noqa: RUF001
    assert scales.signed(-0.0001) == "0.000"
    assert scales.signed(0.0001) == "0.000"


def test_p_value_is_never_zero() -> None:
    assert scales.p_value(0.0) == "< 0.001"
    assert scales.p_value(0.0444) == "0.044"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(8.24, "8.2 s"), (42.4, "42 s"), (59.96, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_duration_reads_as_people_say_it(seconds: float, words: str) -> None:
    assert scales.duration(seconds) == words


def test_short_carries_to_the_next_unit() -> None:
    assert [scales.short(value) for value in (950, 999_600, 4_043_023)] == ["950", "1 M", "4.04 M"]


def test_typeset_changes_minus_signs_and_spaces_only() -> None:
    sentence = "flat-basic differs by -0.024 (95 % interval -0.05 to +0.01, adjusted p = 0.8)"
    assert scales.typeset(sentence) == (
        "flat-basic differs by −0.024 (95\u00a0% interval −0.05 to +0.01, adjusted p\u00a0=\u00a00.8)"  # noqa: RUF001
    )


@pytest.mark.parametrize("most", [60, 110, 200])
def test_a_long_name_keeps_both_ends_and_fits(most: float) -> None:
    name = "hierarchical-shared-loss.kind-asl-optimizer.lr-0.0001"
    assert scales.shortened(name, 12, 1000) == name
    short = scales.shortened(name, 12, most)
    head, tail = short.split("\N{HORIZONTAL ELLIPSIS}")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert scales.text_width(short, 12) <= most


def test_of_a_difference_the_longer_name_gives_way() -> None:
    words = scales.shortened("hierarchical-shared-loss.kind-asl \N{MINUS SIGN} flat-basic", 12, 200)
    assert words.startswith("hierarch")
    assert words.endswith(" \N{MINUS SIGN} flat-basic")
    assert scales.text_width(words, 12) <= 200
