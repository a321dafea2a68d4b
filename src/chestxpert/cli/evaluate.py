"""`chestxpert evaluate`: a finished run on another data set, or what any other tool predicted."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chestxpert.cli.options import add_draws, add_margin, add_measuring
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Evaluate a finished run on images it did not learn from: predict them at the run's size, and report AUROC, average
    precision beside the prevalence, and F1 at the run's own thresholds, with intervals over patients. Only findings
    that both the run and the data set have are measured; the others are listed, each with the reason. What is unknown
    in the data set is left out, never read as absent.

    Patients that the run trained or validated on are left out too. Writes predictions.parquet and evaluation.json.

    With --predictions evaluate what any other tool predicted, without any model: a table (CSV or parquet) with one row
    an image, a column that names it (image, Image Index, filename, path, ...) and a column of probabilities for each
    finding. With --data it makes a study of its own, in which every name is held against the first; with --study the
    predictions join the trained recipes of a study. Thresholds are chosen on the table's validation rows, and are
    one half where it has none.
"""
EPILOG = """
    examples:
      chestxpert data prepare ~/chexpert --out data/chexpert --format chexpert --split test
      chestxpert evaluate runs/basic --data data/chexpert
      chestxpert evaluate studies/first/runs/flat-basic/seed-0 --data data/ours --split all --out results/ours
      chestxpert evaluate --predictions theirs.csv --data data/nih --out studies/theirs
      chestxpert evaluate --predictions old=a.csv --predictions new=b.csv --logits --data data/nih --out studies/both
      chestxpert evaluate --predictions theirs=seed0.csv --predictions theirs=seed1.csv --study studies/first
"""

OF_RUNS = {"split": "--split", "run_data": "--run-data", "posthoc": "--posthoc"}
"""Options of a finished run alone."""

OF_PREDICTIONS = {
    "study": "--study", "logits": "--logits", "allow_missing": "--allow-missing", "taxonomy": "--taxonomy",
    "threshold": "--threshold", "subgroups": "--subgroups", "margin": "--margin",
}  # fmt: skip
"""Options of other tools' predictions alone."""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "evaluate",
        help="evaluate a finished run on another data set, or another tool's predictions",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("run_folder", metavar="RUN", nargs="?", type=Path, help="folder of a finished run")
    parser.add_argument("--data", metavar="DIR", type=Path, help="dataset folder made by 'chestxpert data prepare'")
    parser.add_argument(
        "--out", metavar="DIR", type=Path,
        help="folder to make (default: RUN/evaluations/NAME; with --predictions there is none)",
    )  # fmt: skip
    add_draws(parser)
    _add_for_runs(parser)
    _add_for_predictions(parser)
    parser.set_defaults(run=run, parser=parser)


def _add_for_runs(parser: Parser) -> None:
    group = parser.add_argument_group("a finished run")
    group.add_argument(
        "--split", choices=["test", "all"], help="images of the test side, or of every side (default: test)"
    )
    group.add_argument(
        "--run-data", metavar="DIR", type=Path, help="where the run's own data set is now, if it has moved"
    )
    group.add_argument(
        "--posthoc", metavar="NAME",
        help="correct the probabilities first: em estimates the prevalence of these images from their predictions "
        "alone; or platt, isotonic, ... as in 'chestxpert compare'",
    )  # fmt: skip


def _add_for_predictions(parser: Parser) -> None:
    group = parser.add_argument_group("predictions of other tools")
    group.add_argument(
        "--predictions", metavar="[NAME=]FILE", action="append", default=[],
        help="CSV or parquet; may be given several times, and files of one name are its seeds (default name: the "
        "file's)",
    )  # fmt: skip
    group.add_argument(
        "--study", metavar="STUDY", type=Path, help="finished study whose recipes they are compared with"
    )
    group.add_argument("--logits", action="store_true", default=None, help="the columns are logits, not probabilities")
    group.add_argument(
        "--allow-missing", action="store_true", default=None,
        help="measure the images that are there, where validation or test images are missing; an error otherwise",
    )  # fmt: skip
    group.add_argument(
        "--taxonomy", metavar="NAME|FILE", help="tree that hierarchical metrics are measured on (default: study)"
    )
    add_measuring(group, stored=True)
    add_margin(group, "the study's own, or no such test")


def run(arguments: argparse.Namespace) -> str:
    """Evaluate; returns the table and where the result is."""
    return _predictions(arguments) if _of_predictions(arguments) else _run(arguments)


def _of_predictions(arguments: argparse.Namespace) -> bool:
    """Which of the two is asked for; UsageError where that cannot be told, or options do not go together."""
    from chestxpert.errors import UsageError

    wrong = _wrong_use(arguments)
    if wrong:
        raise UsageError(f"{wrong}. See 'chestxpert evaluate --help'.")
    return bool(arguments.predictions)


def _wrong_use(arguments: argparse.Namespace) -> str:
    """What is wrong with the options together; empty if nothing is."""
    given = bool(arguments.predictions)
    strange = [
        option for key, option in (OF_RUNS if given else OF_PREDICTIONS).items() if getattr(arguments, key) is not None
    ]
    if given == (arguments.run_folder is not None):
        return "evaluate takes one of RUN and --predictions" + (", and got both" if given else "")
    if strange:
        return f"{strange[0]} is not understood {'with' if given else 'without'} --predictions"
    if not given:
        return "" if arguments.data is not None else "evaluate RUN needs --data, the dataset folder"
    if (arguments.data is None) == (arguments.study is None):
        return "--predictions needs one of --data and --study"
    if arguments.study is None:
        return "" if arguments.out is not None else "--predictions with --data needs --out, the folder to make"
    own = "--out" if arguments.out else "--taxonomy" if arguments.taxonomy else ""
    return f"{own} is not understood with --study, which has its own" if own else ""


def _run(arguments: argparse.Namespace) -> str:
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.evaluation.elsewhere_text import evaluation_table
    from chestxpert.recipe import Posthoc
    from chestxpert.training.evaluate import evaluate_elsewhere

    result = evaluate_elsewhere(
        arguments.run_folder,
        arguments.data,
        arguments.out,
        split=arguments.split or "test",
        draws=arguments.draws,
        run_data=arguments.run_data,
        posthoc=None if arguments.posthoc is None else Posthoc.parse(arguments.posthoc),
        progress=progress_on_stderr(),
    )
    return f"{evaluation_table(result)}\n\nEvaluation: {result['folder']}"


def _predictions(arguments: argparse.Namespace) -> str:
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.report import build_report, summary_text
    from chestxpert.study.external_study import add_to_study, evaluate_on_data

    shared: dict[str, Any] = {key: getattr(arguments, key) for key in ("threshold", "subgroups", "margin", "draws")} | {
        "logits": bool(arguments.logits),
        "allow_missing": bool(arguments.allow_missing),
        "progress": progress_on_stderr(),
    }
    if arguments.study is not None:
        folder = arguments.study
        comparison = add_to_study(arguments.predictions, folder, **shared)
    else:
        folder = arguments.out
        comparison = evaluate_on_data(
            arguments.predictions,
            arguments.data,
            folder,
            taxonomy=arguments.taxonomy,
            command=shlex.join(["chestxpert", *arguments.argv]),
            **shared,
        )
    report = build_report(folder)
    return f"{summary_text(comparison)}\n\nReport: {report}"
