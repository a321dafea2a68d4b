"""From values to pixels and to words: linear scales, round ticks, widths of text, numbers as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
UNDEFINED = "not defined"
MINUS = "\N{MINUS SIGN}"
_NARROW = set("iljtfrI.,:;'|!()[]- ")
_WIDE = set("mwMW%@")


@dataclass(frozen=True)
class Scale:
    """Straight-line scale from `low`..`high` to pixels `start`..`end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of `value`, kept within the scale's own room."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def each(self, values: npt.ArrayLike) -> FloatArray:
        """The same for many values at once."""
        share = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        return np.asarray(self.start + np.clip(share, 0.0, 1.0) * (self.end - self.start))

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the scale, at most `most` of them."""
        step = tick_step(self.high - self.low, most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def tick_step(span: float, most: int) -> float:
    """Smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` into fewer than `most` steps."""
    smallest = span / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(smallest))
    for factor in (1.0, 2.0, 2.5, 5.0):
        if factor * power >= smallest * (1 - 1e-9):
            return factor * power
    return 10.0 * power


def domain(
    values: Iterable[float | None], *, floor: float | None = None, ceiling: float | None = None
) -> tuple[float, float]:
    """Round ends that hold every defined value, a little room around them, within `floor` and `ceiling`."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    room = 0.06 * (high - low)
    step = tick_step(high - low + 2 * room, 9)
    low, high = math.floor((low - room) / step) * step, math.ceil((high + room) / step) * step
    return (max(low, floor) if floor is not None else low, min(high, ceiling) if ceiling is not None else high)


def tick_text(value: float, step: float) -> str:
    """Tick label with just the decimals its step needs."""
    if step >= 1:
        return grouped(value)
    decimals = next(d for d in range(1, 8) if abs(step * 10**d - round(step * 10**d)) < 1e-6)
    return f"{value:.{decimals}f}".replace("-", MINUS)


def shortened(words: str, size: float, most: float) -> str:
    """The words, or begin and end of them around an ellipsis where they would be wider than `most` pixels.

    Of a difference of two names, the longer one gives way first. Names of a sweep differ at their ends.
    """
    names = words.split(f" {MINUS} ")
    lengths = [len(name) for name in names]
    shown = words
    while text_width(shown, size) > most and max(lengths) > 6:
        lengths[lengths.index(max(lengths))] -= 1
        shown = f" {MINUS} ".join(_cut(name, length) for name, length in zip(names, lengths, strict=True))
    return shown


def _cut(name: str, length: int) -> str:
    if length >= len(name):
        return name
    tail = (length - 1) // 2
    return f"{name[: length - 1 - tail]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - tail :]}"


def text_width(words: str, size: float) -> float:
    """Width in pixels that `words` need at a font size, on the generous side for common sans-serif fonts."""
    units = 0.0
    for letter in words:
        if letter in _NARROW:
            units += 0.34
        elif letter in _WIDE:
            units += 0.89
        elif letter.isupper():
            units += 0.70
        else:
            units += 0.57
    return units * size


def grouped(value: float) -> str:
    """Whole number with thousands set apart by thin spaces, e.g. 112 120."""
    return f"{round(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", MINUS)


def decimal(value: float | None, digits: int = 3) -> str:
    """Fixed decimals, or 'not defined'."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    return f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """Fixed decimals with a plus or a minus, or 'not defined'; what rounds to nothing has no sign."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = decimal(value, digits)
    return text.removeprefix(MINUS) if float(f"{value:.{digits}f}") == 0 else text if value < 0 else f"+{text}"


def percent(share: float | None, digits: int = 1) -> str:
    """Share as a percentage, or 'not defined'."""
    return UNDEFINED if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f} %"


def p_value(value: float | None) -> str:
    """P-value to three decimals, never 0."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def short(value: float | None) -> str:
    """Three significant digits with k or M, for counts and costs on a figure."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 8.2 s, 3 min 05 s, 2 h 10 min."""
    if seconds is None or not math.isfinite(seconds):
        return UNDEFINED
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def typeset(sentence: str) -> str:
    """The sentence with true minus signs, and without line breaks before a percent sign or around an equals sign."""
    with_minus = re.sub(r"(?<![\w-])-(?=\d)", MINUS, sentence)
    return re.sub(r" (?=%)|(?<= p) (?== )|(?<= p =) ", "\N{NO-BREAK SPACE}", with_minus)
