"""`chestxpert report`: a study's comparison and page again, from what it stored."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chestxpert.cli.options import DRAWS, add_draws, add_margin, add_measuring, add_no_images, add_posthoc
from chestxpert.cli.parser import Parser, whole
from chestxpert.errors import UsageError

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Compare the stored predictions of a study again and draw its report again. Every figure comes from predictions
    and the cohort alone; the gallery of errors has pictures where the dataset folder is still there. Rewrites
    comparison.json and report.html, and with --posthoc notes in study.yaml which corrections are shown from now on.
    With --redraw the stored comparison.json is drawn as it is. --format and --figures also write the page's tables and
    figures as files for a paper, into tables/ and figures/ of the study.
"""
EPILOG = """
    examples:
      chestxpert report studies/first
      chestxpert report studies/first --draws 5000
      chestxpert report studies/first --threshold youden --subgroups sex view Effusion
      chestxpert report studies/first --posthoc all
      chestxpert report studies/first --redraw --format csv latex --figures svg
      chestxpert report studies/first --redraw --figures pdf png --width 8.5
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "report", help="draw a study's report again", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder made by 'chestxpert compare'")
    add_measuring(parser, stored=True)
    add_draws(parser)
    add_margin(parser, "the study's own, if it has one")
    add_posthoc(parser, "those the study shows")
    parser.add_argument(
        "--workers", metavar="N", type=whole(1),
        help="processes that compare; changes no digit shown (default: one for each core, if there are runs enough)",
    )  # fmt: skip
    add_no_images(parser)
    _add_files(parser)
    parser.set_defaults(run=run, parser=parser)


def _add_files(parser: Parser) -> None:
    """The page's tables and figures as files; and whether anything is compared again."""
    parser.add_argument(
        "--redraw", action="store_true",
        help="do not compare again: take comparison.json as it stands, which takes seconds",
    )  # fmt: skip
    parser.add_argument(
        "--format", nargs="+", action="extend", choices=["md", "csv", "latex"], default=[],
        help="also write every table of the page as STUDY/tables/NAME.md, .csv (all digits, a row an estimate) or .tex",
    )  # fmt: skip
    parser.add_argument(
        "--figures", nargs="+", action="extend", choices=["svg", "pdf", "png"], default=[],
        help="also write every figure of the page as STUDY/figures/NAME.svg, .pdf or .png; the latter two need "
        "chestxpert[figures]",
    )  # fmt: skip
    parser.add_argument(
        "--width", metavar="CM", type=float, default=17.5,
        help="width of these figures; up to 12 their panels stand one above the other (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--dpi", metavar="N", type=whole(1), default=300, help="of PNG figures (default: %(default)s)")
    parser.add_argument(
        "--theme", choices=["light", "dark"], default="light", help="of these figures (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> str:
    """Compare and draw again; returns the comparison and where the report is."""
    from chestxpert.report import build_report, check_figures, summary_text, write_figures, write_tables
    from chestxpert.study.stored import stored_comparison

    study, look = arguments.study, {"width": arguments.width, "dpi": arguments.dpi, "theme": arguments.theme}
    check_figures(arguments.figures, **look)  # before the long part
    comparison = stored_comparison(_as_it_stands(arguments)) if arguments.redraw else _compare(arguments)
    report = build_report(study, images=not arguments.no_images)
    lines = [summary_text(comparison), ""]
    if arguments.format:
        lines.append(f"Tables: {write_tables(study, arguments.format)[-1]}")
    if arguments.figures:
        lines.append(f"Figures: {write_figures(study, arguments.figures, **look)[0].parent}")
    return "\n".join([*lines, f"Report: {report}"])


def _as_it_stands(arguments: argparse.Namespace) -> Path:
    """The study, where nothing was asked that needs a comparison."""
    asked = {name: getattr(arguments, name) is not None for name in ("threshold", "subgroups", "margin", "posthoc")}
    named = [f"--{name}" for name, given in (asked | {"draws": arguments.draws != DRAWS}).items() if given]
    if named:
        raise UsageError(
            f"--redraw takes comparison.json as it stands, and {named[0]} asks for another. Leave one out."
        )
    study: Path = arguments.study
    return study


def _compare(arguments: argparse.Namespace) -> dict[str, Any]:
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.recipe import parse_posthoc
    from chestxpert.study.stored import write_comparison

    return write_comparison(
        arguments.study,
        draws=arguments.draws,
        margin=arguments.margin,
        posthoc=None if arguments.posthoc is None else parse_posthoc(arguments.posthoc),
        progress=progress_on_stderr(),
        threshold=arguments.threshold,
        subgroups=arguments.subgroups,
        workers=arguments.workers,
    )
