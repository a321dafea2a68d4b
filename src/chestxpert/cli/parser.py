"""An argument parser that explains itself: examples stay as written, and a slip of the pen gets a near name."""

from __future__ import annotations

import argparse
import difflib
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]  # the type that argparse gives no public name


class Parser(argparse.ArgumentParser):
    """ArgumentParser with texts kept as they are written, no abbreviations, and hints at near names."""

    def __init__(self, *, description: str = "", epilog: str = "", **keywords: Any) -> None:
        super().__init__(
            description=textwrap.dedent(description).strip(),
            epilog=textwrap.dedent(epilog).strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # a script that says --see today must not change its meaning tomorrow
            **keywords,
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(action, f"there is no '{value}'{near(value, choices)}")

    def refuse(self, extra: Iterable[str]) -> NoReturn:
        """End with exit code 2 over arguments that this command does not take."""
        option = next(iter(extra))
        known = list(self._option_string_actions)
        self.error(f"'{option}' is not understood{near(option.partition('=')[0], known)}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, on stderr; exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\nSee '{self.prog} --help'.\n")


def near(name: str, names: Iterable[str]) -> str:
    """The end of a sentence that names what was probably meant, or everything there is."""
    names = list(names)
    begun = [other for other in names if other.startswith(str(name))]
    close = begun if len(begun) == 1 else difflib.get_close_matches(str(name), names, n=1)
    return f". Did you mean '{close[0]}'?" if close else f". There is: {', '.join(names)}."


def whole(low: int) -> Any:
    """Argument type: a whole number of at least `low`."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"takes a whole number, but got '{text}'") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"is at least {low}, but got {value}")
        return value

    return number


def share(text: str) -> float:
    """Argument type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes a number, but got '{text}'") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"is a number from 0 to 1, but got {text}")
    return value
