"""Tables of a study's page as files: Markdown and LaTeX with the words of the page, CSV with every digit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from chestxpert.errors import UsageError
from chestxpert.files import write_text
from chestxpert.report.files.latex import latex
from chestxpert.report.files.long_tables import long_tables, what_is_in
from chestxpert.report.files.markdown import markdown, plain
from chestxpert.report.files.sheets import SIMULATED, sheets
from chestxpert.report.files.tidy import csv_text
from chestxpert.report.read import StudyFolder, read_study

TABLES = ("md", "csv", "latex")
FOLDER = "tables"
INDEX = "index.md"

_EXPLAINED = """Markdown and LaTeX have the words and the rounding of the page. CSV has every digit, a value a column
and a row an estimate; what is not defined is empty. Read it with R's `read.csv(FILE)` or `pandas.read_csv(FILE)`;
pandas before version 3.1 wants `float_precision="round_trip"` for the last digit. Files in this folder that are not
named here are of an earlier call.
"""


@dataclass(frozen=True)
class _Text:
    """One file to be written: its name, what it holds, and its text."""

    file: str
    what: str
    text: str


def write_tables(study: Path, formats: Collection[str] = ("md",)) -> list[Path]:
    """Write every table of a study's page as a file of its own.

    Parameters
    ----------
    study : Path
        A compared study's folder.
    formats : collection of str
        Of ``md``, ``csv`` and ``latex``.

    Returns
    -------
    list of Path
        The files: ``STUDY/tables/NAME.{md,csv,tex}``, and ``index.md``, which says what is where. Each is written
        whole or not at all.

    Raises
    ------
    UsageError
        If a format is none of these.
    RunError
        If a part of the study is missing or unreadable.
    """
    unknown = [name for name in formats if name not in TABLES]
    if unknown:
        raise UsageError(f"Tables are written as {', '.join(TABLES)}; {', '.join(unknown)} is none of these.")
    read = read_study(Path(study))
    made = [text for name in dict.fromkeys(formats) for text in _texts(read, name)]
    made.append(_Text(INDEX, "what is where", _index(read, made)))
    for text in made:
        write_text(read.folder / FOLDER / text.file, text.text)
    return [read.folder / FOLDER / text.file for text in made]


def _texts(study: StudyFolder, format_: str) -> list[_Text]:
    if format_ == "csv":
        rows = long_tables(study).items()
        return [_Text(f"{name}.csv", what_is_in(name), csv_text(records)) for name, records in rows]
    write, ending = (markdown, "md") if format_ == "md" else (latex, "tex")
    return [_Text(f"{sheet.name}.{ending}", sheet.title, write(sheet)) for sheet in sheets(study)]


def _index(study: StudyFolder, texts: list[_Text]) -> str:
    simulated = f"**{SIMULATED}**\n\n" if study.cohort.simulated else ""
    lines = "\n".join(f"| [{text.file}]({text.file}) | {plain(text.what)} |" for text in texts)
    return (
        f"# Tables of the study {plain(study.folder.resolve().name)}\n\n{simulated}{plain(study.results.verdict)}\n\n"
        f"| file | holds |\n| --- | --- |\n{lines}\n\n{_EXPLAINED}"
    )
