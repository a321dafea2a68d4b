import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RecipeError
from chestxpert.strict_yaml import build, parse_yaml, to_yaml


@dataclass(frozen=True)
class Inner:
    shares: Mapping[str, float]
    widths: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["one", "two"] = "one"
    count: int = 1
    rate: float = 0.5
    active: bool = False
    side: int | None = None
    inner: Inner | None = None
    other: Inner = field(default_factory=lambda: Inner({}))


def read(text: str) -> Outer:
    return build(Outer, parse_yaml(text, "test"), "test")


def test_every_kind_of_value() -> None:
    text = """
    name: x
    kind: two
    count: 3
    rate: 1e-3
    active: true
    side: 64
    inner: {shares: {No Finding: 0.95, Mass: 0}, widths: [5, 6]}
    """
    assert read(text) == Outer("x", "two", 3, 0.001, True, 64, Inner({"No Finding": 0.95, "Mass": 0.0}, (5, 6)))
    assert read("{name: x, side: null, inner: ~, rate: 2}") == Outer("x", rate=2.0)


@pytest.mark.parametrize("number", ["1e-3", "1E3", "-2.5e+1", ".5e1", "3.e2"])
def test_scientific_notation_is_a_number_with_or_without_a_dot(number: str) -> None:
    assert parse_yaml(f"x: {number}", "test")["x"] == float(number)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\nkindd: two", r"test: unknown key 'kindd'\. Did you mean 'kind'\?"),
        ("name: x\nzzzzz: 1", r"unknown key 'zzzzz'\. The keys are: name, kind"),
        ("name: x\n3: 1", "unknown key '3'"),
        ("kind: one", "the key 'name' is missing"),
        ("name: 3", "name takes a text, but got 3"),
        ("name: no", "name takes a text, but got False"),
        ("{name: x, kind: tow}", r"kind is one of one, two, but got 'tow'\. Did you mean 'two'"),
        ("{name: x, count: 1.5}", r"count takes a whole number, but got 1\.5"),
        ("{name: x, count: true}", "count takes a whole number, but got True"),
        ("{name: x, count: null}", "count takes a whole number, but got None"),
        ("{name: x, rate: fast}", "rate takes a number, but got 'fast'"),
        ("{name: x, rate: true}", "rate takes a number, but got True"),
        ("{name: x, rate: .nan}", "rate takes a finite number"),
        ("{name: x, rate: .inf}", "rate takes a finite number"),
        ("{name: x, active: 1}", "active takes a true or false, but got 1"),
        ("{name: x, inner: 3}", "inner: expected keys and values, but got 3"),
        ("{name: x, inner: {shares: [1]}}", r"inner: shares takes keys and values, but got \[1\]"),
        ("{name: x, inner: {shares: {Mass: much}}}", r"inner: shares\.Mass takes a number, but got 'much'"),
        ("{name: x, inner: {shares: {}, widths: 3}}", "inner: widths takes a list, but got 3"),
        ("{name: x, inner: {shares: {}, widths: [a]}}", "inner: widths takes a whole number, but got 'a'"),
        ("name: x\nname: y", "line 1: name is given twice"),
        ("name: x\nother:\n  shares: {}\n  shares: {}", "line 3: shares is given twice"),
        ("", "test is empty"),
        ("# a comment only", "test is empty"),
        ("- name", "must be a list of 'key: value' lines, but holds list"),
        ("name: [", "no valid YAML"),
        ("name: 2024-13-45", "no valid YAML"),
        ("name: !!python/object:os.system x", "no valid YAML"),
        ("x: " + "[" * 5000, "no valid YAML"),
    ],
)
def test_what_is_not_meant_is_named(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read(text)


@given(st.text() | st.text("{}[]:,&*!|>'\"%@`#-? \n0123456789.eabc"))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(RecipeError):
        assert isinstance(read(text), Outer)


keys = st.text(min_size=1, max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)
inners = st.builds(
    Inner,
    shares=st.dictionaries(keys, numbers, max_size=3),
    widths=st.lists(st.integers()).map(tuple),
)
outers = st.builds(
    Outer,
    name=st.text() | st.sampled_from(["1e3", "no", "null", "1.5", "~", "2024-01-01", "0x10", "1:30", "yes", "<<"]),
    kind=st.sampled_from(["one", "two"]),
    count=st.integers(),
    rate=numbers,
    active=st.booleans(),
    side=st.none() | st.integers(),
    inner=st.none() | inners,
    other=inners,
)


@given(outers)
def test_what_is_written_is_read_back_equal(value: Outer) -> None:
    plain: dict[str, Any] = dataclasses.asdict(value)
    text = to_yaml(plain)
    assert read(text) == value
    assert list(parse_yaml(text, "test")) == list(plain)


def test_aliases_of_aliases_are_not_written_out() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    text = "widths:\n" + "\n".join("  " + line for line in lines)
    with pytest.raises(RecipeError, match="widths takes a list") as caught:
        build(Inner, {"shares": {}} | parse_yaml(text, "x"), "x")
    assert len(str(caught.value)) < 2_000
