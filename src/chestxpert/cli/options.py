"""Options that several commands share, so that they read and behave alike."""

from __future__ import annotations

import argparse
from pathlib import Path

from chestxpert.cli.parser import Parser, whole

Arguments = Parser | argparse._ArgumentGroup  # the type that argparse gives no public name

DRAWS = 2000
"""As `evaluation.bootstrap.DRAWS`, which costs the help text an import of NumPy."""


def add_data(parser: Parser) -> None:
    """The dataset folder to learn from."""
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="dataset folder made by 'chestxpert data prepare'"
    )


def add_training(parser: Parser) -> None:
    """What changes how recipes are trained, and whether an interrupted training goes on."""
    parser.add_argument(
        "--set", metavar="KEY=VALUE", dest="overrides", action="append", default=[],
        help="change one key of every recipe that has it, such as size=128 or optimizer.lr=1e-4; may be given several "
        "times",
    )  # fmt: skip
    parser.add_argument(
        "--freeze", action="store_true",
        help="keep the backbone as it is and train heads on its cached features: minutes, not hours, on a CPU",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true",
        help="go on where an interrupted call with the same arguments stopped; an existing folder is refused otherwise",
    )  # fmt: skip


def add_draws(parser: Parser, what: str = "for intervals and p-values") -> None:
    """How many bootstrap draws the intervals rest on."""
    parser.add_argument(
        "--draws", metavar="N", type=whole(1), default=DRAWS,
        help=f"bootstrap draws over patients {what} (default: %(default)s)",
    )  # fmt: skip


def add_margin(parser: Arguments, default: str) -> None:
    """The largest difference that would not matter."""
    parser.add_argument(
        "--margin", metavar="X", type=float,
        help="largest difference of a metric that would not matter to you, such as 0.01: tests whether recipes are "
        f"equivalent within it; to be named before the results are seen (default: {default})",
    )  # fmt: skip


def add_measuring(parser: Arguments, stored: bool) -> None:
    """How thresholds are chosen, and whom recipes are measured on; a stored study has its own answer to both."""
    parser.add_argument(
        "--threshold", metavar="RULE", default=None if stored else "f1",
        help="how thresholds are chosen on val: f1, youden, sensitivity=0.9, specificity=0.9 or cost=5, which is what "
        "a missed finding costs in false alarms " + ("(default: as the study says)" if stored else "(default: f1)"),
    )  # fmt: skip
    parser.add_argument(
        "--subgroups", metavar="COLUMN", nargs="+", default=None,
        help="what subgroups of the test images are made by: columns of the cohort, labels, or images, which is one or "
        "several a patient " + ("(default: as the study says)" if stored else "(default: sex age view images)"),
    )  # fmt: skip


def add_posthoc(parser: Parser, default: str) -> None:
    """Corrections of stored predictions, shown beside what they correct."""
    parser.add_argument(
        "--posthoc", metavar="NAME[,NAME]",
        help="show each recipe also with its probabilities corrected after training, on val alone: logit-adjustment, "
        f"temperature, platt, isotonic, beta, em; or all, or none (default: {default})",
    )  # fmt: skip


def add_no_images(parser: Parser) -> None:
    """A report without pictures of patients, for where its data set may not go."""
    parser.add_argument("--no-images", action="store_true", help="leave pictures out of the report's gallery of errors")


def add_workers(parser: Parser) -> None:
    """How many processes share the work."""
    parser.add_argument(
        "--workers", metavar="N", type=whole(1), help="processes to work with (default: one for each core)"
    )


def add_licence(parser: Parser, of: str) -> None:
    """The licence that a card names; without the option it names none."""
    parser.add_argument(
        "--license", metavar="ID", dest="licence",
        help=f"licence of {of}, by its identifier on Hugging Face, such as apache-2.0 (default: the card names none)",
    )  # fmt: skip
