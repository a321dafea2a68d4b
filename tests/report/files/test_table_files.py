"""Tables as files: words of the page, and every digit of the comparison."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RunError, UsageError
from chestxpert.report import build_report, write_tables
from chestxpert.report.evidence.stored import part
from chestxpert.report.figure import Table
from chestxpert.report.files.latex import escaped, latex
from chestxpert.report.files.markdown import table_text
from chestxpert.report.files.sheets import SIMULATED, Sheet
from chestxpert.report.files.tidy import csv_text, entry, estimates
from chestxpert.report.scales import signed
from chestxpert.report.stored_values import Contrast, Estimate

PDFLATEX = shutil.which("pdflatex")
STORED = ("recipes", "contrasts", "groups", "operating", "calibration", "subgroups", "floor", "diagnosis", "agreement")
"""Parts of a comparison that hold results."""
NO_RESULTS = {"cuts", "max_fpr", "level", "draws", "fewest_patients", "bins", "unfitted", "constant"}


def agreed(comparison: dict[str, Any]) -> dict[str, Any]:
    """The comparison with a second source of labels in it."""
    rate = {"mean": 0.51, "low": 0.42, "high": 0.63, "n_draws": 77}
    counts = {"both": 1200, "only_here": 3, "only_there": 4, "neither": 5}
    value = {m: {"value": 0.71, "low": 0.64, "high": 0.83} for m in ("auroc", "ap", "f1")}
    side = {"images": 90, "macro": value, "per_label": {"Mass": {"n_positive": 12, **value}}}
    return comparison | {
        "agreement": {
            "source": "csv", "images": 1212, "patients": 300, "draws": 500, "not_named": ["Hernia"],
            "per_label": {"Mass": counts | {"kappa": rate, "ppv": rate, "sensitivity": rate}},
            "recipes": {"flat-basic": {"here": side, "there": side}},
        }
    }  # fmt: skip


@pytest.fixture(scope="module")
def study(study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a second source of labels, its page, and its tables in every format."""
    folder = Path(shutil.copytree(study_folder, tmp_path_factory.mktemp("tables") / "first_study"))
    file = folder / "comparison.json"
    file.write_text(json.dumps(agreed(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")
    build_report(folder)
    write_tables(folder, ["md", "csv", "latex"])
    return folder


@pytest.fixture(scope="module")
def comparison(study: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((study / "comparison.json").read_text(encoding="utf-8"))
    return values


@pytest.fixture(scope="module")
def csvs(study: Path) -> dict[str, pd.DataFrame]:
    """Every CSV as pandas reads it."""
    paths = sorted((study / "tables").glob("*.csv"))
    return {path.stem: pd.read_csv(path) for path in paths}


def row(frame: pd.DataFrame, **keys: object) -> pd.Series:
    """The one row with these keys; None stands for an empty cell."""
    for column, value in keys.items():
        frame = frame[frame[column].isna() if value is None else frame[column] == value]
    assert len(frame) == 1, keys
    return frame.iloc[0]


def equals(found: pd.Series, stored: dict[str, Any]) -> None:
    """All that is stored of an estimate stands in the row, to the last digit; what is undefined is empty."""
    for key, value in entry(stored).items():
        if value is None:
            assert key not in found or pd.isna(found[key]), key
        elif isinstance(value, float) and not math.isfinite(value):
            assert pd.isna(found[key])
        else:
            assert found[key] == value, key


def test_each_estimate_is_in_its_row_to_the_last_digit(
    csvs: dict[str, pd.DataFrame], comparison: dict[str, Any]
) -> None:
    for name, stored in comparison["recipes"].items():
        for metric, values in stored["metrics"].items():
            found = row(csvs["recipes"], recipe=name, metric=metric)
            equals(found, values)
            assert found["validation"] == stored["validation"][metric]
            for seed, value in zip(stored["seeds"], values["per_seed"], strict=True):
                assert row(csvs["seeds"], recipe=name, metric=metric, seed=seed)["value"] == value
    first = comparison["recipes"]["flat-basic"]
    for finding, values in first["per_label"].items():
        for metric in ("auroc", "ap", "f1", "precision", "recall", "brier"):
            found = row(csvs["findings"], recipe="flat-basic", finding=finding, metric=metric)
            equals(found, values[metric])
            assert found["n_positive"] == values["n_positive"]
        chosen = csvs["thresholds"].query("recipe == 'flat-basic' and finding == @finding")
        assert chosen["threshold"].tolist() == values["thresholds"]


def test_each_contrast_has_its_tests_and_says_whether_it_is_shown(
    csvs: dict[str, pd.DataFrame], comparison: dict[str, Any]
) -> None:
    assert len(csvs["contrasts"]) == len(comparison["contrasts"])
    for (_, found), stored in zip(csvs["contrasts"].iterrows(), comparison["contrasts"], strict=True):
        equals(found, stored)
        ends = (stored[key] for key in ("difference", "low", "high", "p", "p_adjusted"))
        assert found["shown"] == Contrast(stored["a"], stored["b"], stored["metric"], *ends).clear


def test_subgroups_gaps_and_operating_points_are_those_of_the_comparison(
    csvs: dict[str, pd.DataFrame], comparison: dict[str, Any]
) -> None:
    for name, partitions in comparison["subgroups"]["recipes"].items():
        for by, own in partitions.items():
            for group, values in own["groups"].items():
                for metric, stored in values["macro"].items():
                    keys = {"recipe": name, "by": by, "group": group, "metric": metric}
                    equals(row(csvs["subgroups"], over="macro", **keys), stored)
            for group, values in own["gaps"].items():
                for finding, each in values["per_label"].items():
                    keys = {"recipe": name, "by": by, "group": group, "finding": finding, "metric": "sensitivity"}
                    equals(row(csvs["subgroups-gaps"], reference=own["reference"], **keys), each["sensitivity"])
    for name, own in comparison["operating"]["recipes"].items():
        for finding, values in own["per_label"].items():
            equals(row(csvs["operating"], recipe=name, finding=finding, metric="mcc"), values["mcc"])
    rate = comparison["agreement"]["per_label"]["Mass"]
    equals(row(csvs["agreement"], finding="Mass", rate="kappa"), rate["kappa"])
    assert row(csvs["agreement-recipes"], labels="there", finding=None, metric="ap")["mean"] == 0.71


def floats(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number in a comparison's part that is no setting, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in NO_RESULTS:
                yield from floats(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from floats(inner, path)
    elif isinstance(value, float) and math.isfinite(value):
        yield path, value


def test_no_number_of_the_comparison_is_left_out(csvs: dict[str, pd.DataFrame], comparison: dict[str, Any]) -> None:
    known: set[float] = set()
    for frame in csvs.values():
        for column in frame.select_dtypes("number"):
            known |= {float(value) for value in frame[column].dropna()}
    stored = [(path, value) for key in STORED for path, value in floats(comparison[key], (key,))]
    assert len(stored) > 5000
    # A label's `threshold` is the mean of its thresholds, which are all there.
    missing = {path for path, value in stored if value not in known and path[-1] != "threshold"}
    assert missing == set()


def test_the_cohort_is_counted_as_its_table_says(csvs: dict[str, pd.DataFrame], study: Path) -> None:
    cohort = pd.read_parquet(study / "cohort.parquet")
    for _, found in csvs["cohort"].iterrows():
        rows = cohort[cohort["split"] == found["split"]]
        assert found["images"] == len(rows)
        assert found["patients"] == rows["patient_id"].nunique()
        assert found["view_AP"] == (rows["view"] == "AP").sum()
    together = row(csvs["cooccurrence"], finding="Effusion", other="Mass")["images"]
    assert together == (cohort["Effusion"].astype(bool) & cohort["Mass"].astype(bool)).sum()
    test = row(csvs["distribution"], split="test", finding="Hernia")
    assert test["images"] == cohort.loc[cohort["split"] == "test", "Hernia"].sum()
    lines = (study / "runs" / "flat-basic" / "seed-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    epochs = csvs["learning"].query("recipe == 'flat-basic' and seed == 1")
    assert epochs["val_macro_ap"].tolist() == [json.loads(line)["val_macro_ap"] for line in lines]


class Tables(HTMLParser):
    """Cells of every table of a page, row by row, without heads."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._cell = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self._cell = tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[-1][-1][-1] += data


def unmarked(words: str) -> str:
    return re.sub(r"\\(.)", r"\1", words)


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Cells of every table, row by row; the line below the head is left out."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\) \| |^\| | \|$", line)[1:-1]
            found[-1].append([unmarked(cell.strip()) for cell in cells])
        elif found[-1]:
            found.append([])
    return [[table[0], *table[2:]] for table in found if table]


def test_markdown_has_the_rows_of_the_page(study: Path) -> None:
    page = Tables((study / "report.html").read_text(encoding="utf-8"))
    # The page keeps an interval on one line by spaces that do not break.
    shown = [[[cell.strip().replace("\xa0", " ") for cell in line] for line in table] for table in page.tables]
    files = sorted(path for path in (study / "tables").glob("*.md") if path.stem not in ("index", "floor"))
    assert len(files) > 20
    written = [table for path in files for table in markdown_tables(path.read_text(encoding="utf-8"))]
    bodies = [table[-len(rows) + 1 :] for table in shown for rows in written if len(rows) == len(table)]
    for table in written:
        assert table[1:] in bodies or any(table[1:] == other[2:] for other in shown), table[:2]
    # Nothing but the facts of the run, which are no results, is on the page alone.
    left = [table for table in shown if table[1:] not in [w[1:] for w in written]]
    assert len([table for table in left if table[2:] not in [w[1:] for w in written]]) == 1


def test_every_interval_of_the_words_is_that_of_a_row_of_numbers(study: Path, csvs: dict[str, pd.DataFrame]) -> None:
    said: set[str] = set()
    for frame in csvs.values():
        first = next((column for column in ("mean", "difference") if column in frame), None)
        for low, high in (("low", "high"), ("bca_low", "bca_high")):
            if first is None or low not in frame:
                continue
            for mean, below, above in frame[[first, low, high]].dropna().itertuples(index=False):
                said |= {Estimate(mean, below, above).words(digits) for digits in (2, 3)}
                said.add(f"{signed(mean)} [{signed(below)}, {signed(above)}]")
    shown = 0
    for path in (study / "tables").glob("*.md"):
        for table in markdown_tables(path.read_text(encoding="utf-8")):
            cells = [cell for line in table[1:] for cell in line if re.search(r"\d \[", cell)]
            shown += len(cells)
            assert [cell for cell in cells if cell not in said] == [], path.name
    assert shown > 500


def test_captions_say_of_whom_and_from_how_many_draws(study: Path, comparison: dict[str, Any]) -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (study / "tables").glob("*.tex")}
    images = comparison["cohort"]["images"]
    for name, text in texts.items():
        captions = re.findall(r"\\caption\{(.*)\}\n", text)
        assert captions, name
        assert all(f"{images['test']} test images" in caption.replace(r"\,", "") for caption in captions), name
    assert "from 400 bootstrap draws" in texts["contrasts"]
    assert f"from {part(comparison, 'subgroups')['draws']} bootstrap draws" in texts["subgroups"]
    assert "from the jackknife" in texts["findings"]
    assert "those of one finding's F1 are Wilson's" in texts["findings"]
    assert "those of one finding's sensitivity are Wilson's" in texts["operating"]
    assert "jackknife" not in texts["contrasts"]
    assert "Wilson" not in texts["recipes"]
    assert "bootstrap" not in texts["cohort"]


def test_no_number_is_bold(study: Path) -> None:
    for path in (study / "tables").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "textbf" not in text
        assert not [line for line in text.splitlines() if line.startswith("|") and "**" in line]


def test_the_index_names_every_file(study: Path) -> None:
    index = (study / "tables" / "index.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\]\((.*?)\)", index))
    assert names | {"index.md"} == {path.name for path in (study / "tables").iterdir()}
    assert "# Tables of the study first\\_study" in index


def structure(text: str) -> None:
    """What a TeX engine would stumble over: braces, environments, columns, special characters."""
    bare = re.sub(r"(?<!\\)%.*", "", text)
    plain = re.sub(r"\\[{}&%$#_]", "", bare)
    assert plain.count("{") == plain.count("}")
    opened = re.findall(r"\\(begin|end)\{(\w+)\}", bare)
    stack: list[str] = []
    for what, name in opened:
        if what == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    assert "#" not in plain
    assert "~^" not in plain
    for columns, body in re.findall(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}(.*?)\\end\{", bare, re.DOTALL):
        for line in body.split("\n"):
            if line.endswith(r"\\") and "\\caption" not in line and "\\label" not in line:
                spans = [int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
                assert len(re.findall(r"(?<!\\)&", line)) + sum(spans) == len(columns) - 1, line
    labels = re.findall(r"\\label\{(.*?)\}", bare)
    assert len(labels) == len(set(labels)) == len(re.findall(r"\\caption\{", bare)) > 0


def test_latex_is_whole_and_in_columns(study: Path) -> None:
    paths = list((study / "tables").glob("*.tex"))
    assert len(paths) > 20
    for path in paths:
        structure(path.read_text(encoding="utf-8"))
    labels = [label for path in paths for label in re.findall(r"\\label\{(.*?)\}", path.read_text(encoding="utf-8"))]
    assert len(labels) == len(set(labels))


def compiled(folder: Path, inputs: list[Path]) -> str:
    """The log of pdflatex over some tables, in the way docs/export.md says."""
    lines = [r"\documentclass[10pt]{article}", r"\usepackage[margin=1in]{geometry}", r"\usepackage[T1]{fontenc}",
             r"\usepackage{booktabs,longtable}", r"\begin{document}"]  # fmt: skip
    lines += [rf"\input{{{path}}}\clearpage" for path in inputs]
    (folder / "paper.tex").write_text("\n".join([*lines, r"\end{document}"]), encoding="utf-8")
    command = [str(PDFLATEX), "-interaction=nonstopmode", "paper.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return (folder / "paper.log").read_text(encoding="latin-1")


STRANGE = Table(
    ["recipe_1", "50 % & more", "#1 ~ x^2"],
    [["a_b", "\N{MINUS SIGN}0.1 [\N{MINUS SIGN}0.2, 0.3]", r"c:\d {e}"], ["[x]", "< 0.001", '"$5" | *'],
     ["1\N{NARROW NO-BREAK SPACE}234", "\N{RIGHTWARDS ARROW}", "“q”"]],
    note="a_note & 5 %", groups=[("", 1), ("two_of them", 2)],
)  # fmt: skip


@pytest.mark.skipif(PDFLATEX is None, reason="pdflatex is not installed")
def test_a_real_latex_reads_every_table_and_none_is_too_wide(study: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.tex"
    strange.write_text(latex(Sheet("strange", "A_title", [STRANGE], "Cohort.", "Intervals.")), encoding="utf-8")
    log = compiled(tmp_path, [strange, *sorted((study / "tables").glob("*.tex"))])
    assert not re.findall(r"^! .*", log, re.MULTILINE)
    assert not re.findall(r"Overfull \\hbox.*", log)
    assert "Output written" in log


def test_special_characters_are_escaped_in_latex_and_markdown() -> None:
    text = latex(Sheet("strange", "A_title", [STRANGE], "Cohort.", "Intervals."))
    structure(text)
    assert r"a\_b & $-$0.1 [$-$0.2, 0.3] & c:\textbackslash{}d \{e\} \\" in text
    assert r"{[x]} & \textless{} 0.001 &" in text, "a bracket after a line's end would be an option of it"
    assert r"\multicolumn{2}{c}{two\_of them}" in text
    assert r"\caption{A\_title. a\_note \& 5 \%. Cohort. Intervals.}" in text
    cells = markdown_tables(table_text(STRANGE))[0]
    assert cells[0] == ["recipe_1", "two_of them: 50 % & more", "two_of them: #1 ~ x^2"]
    assert cells[1:] == [list(line) for line in STRANGE.rows]


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_escaped_words_hold_no_special_character_of_latex(words: str) -> None:
    bare = re.sub(r"\\text\w+\{\}|\\[{}&%$#_]", "", escaped(words))
    assert not set(bare) & set("\\{}&%$#_~^")


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)


@given(st.lists(st.fixed_dictionaries({"mean": st.none() | st.floats(), "name": WORDS, "n": st.integers()})))
def test_pandas_reads_back_every_float_and_word(rows: list[dict[str, Any]]) -> None:
    import csv
    import io

    read = list(csv.DictReader(io.StringIO(csv_text(rows), newline="")))
    for wrote, found in zip(rows, read, strict=True):
        defined = wrote["mean"] is not None and math.isfinite(wrote["mean"])
        assert (float(found["mean"]) == wrote["mean"]) if defined else found["mean"] == ""
        assert found.get("name", "") == wrote["name"]
        assert int(found["n"]) == wrote["n"]


def test_rows_are_flat_and_lists_have_no_place_in_them() -> None:
    stored = {"mean": 1.0, "bca": {"low": 0.5, "high": None}, "per_seed": [1, 2], "interval": "percentile"}
    assert entry(stored) == {"mean": 1.0, "bca_low": 0.5, "bca_high": None, "interval": "percentile"}
    assert list(estimates({"ap": stored, "n": 3, "none": None}, recipe="a")) == [
        {"recipe": "a", "metric": "ap", **entry(stored)}
    ]
    assert csv_text([{"a": 1, "b": None, "mean": None, "ok": True}, {"a": 2, "c": 0.1 + 0.2}]) == (
        "a,mean,ok,c\n1,,true,\n2,,,0.30000000000000004\n"
    )


def test_an_undefined_finding_is_empty_and_called_so(tmp_path: Path, study_factory: Callable[..., Path]) -> None:
    study = study_factory(
        tmp_path, recipes=("flat-basic",), seeds=(0,), without="Hernia", simulated=True, scale=0.5, draws=20
    )
    paths = write_tables(study, ["csv", "md"])
    found = pd.read_csv(study / "tables" / "findings.csv").query("finding == 'Hernia' and metric == 'auroc'")
    assert found["mean"].isna().all()
    assert found["n_positive"].tolist() == [0]
    assert "| Hernia | 0 |" in (study / "tables" / "findings.md").read_text(encoding="utf-8")
    assert "not defined" in (study / "tables" / "findings.md").read_text(encoding="utf-8")
    assert not (study / "tables" / "contrasts.csv").exists(), "one recipe has none"
    said = [path for path in paths if path.suffix == ".md"]
    assert all(SIMULATED in path.read_text(encoding="utf-8") for path in said)


def test_an_unknown_format_and_no_study_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="md, csv, latex; docx is none of these"):
        write_tables(tmp_path, ["docx"])
    with pytest.raises(RunError, match="no study"):
        write_tables(tmp_path, ["md"])
    assert list(tmp_path.iterdir()) == []


def test_an_older_comparison_has_the_files_that_it_can_have(study_copy: Path) -> None:
    file = study_copy / "comparison.json"
    old = json.loads(file.read_text(encoding="utf-8"))
    for key in ("groups", "operating", "calibration", "subgroups", "floor", "diagnosis", "bootstrap", "permutations"):
        old.pop(key, None)
    for values in old["recipes"].values():
        for key in ("levels", "tree", "validation"):
            values.pop(key, None)
        values["metrics"] = {m: {k: e[k] for k in ("mean", "low", "high")} for m, e in values["metrics"].items()}
    file.write_text(json.dumps(old), encoding="utf-8")
    names = {path.name for path in write_tables(study_copy, ["md", "csv", "latex"])}
    assert {"recipes.csv", "recipes.md", "contrasts.tex", "cohort.csv"} <= names
    assert not names & {"groups.csv", "subgroups.md", "floor.tex", "seeds.csv", "levels.csv"}
    frame = pd.read_csv(study_copy / "tables" / "recipes.csv")
    assert list(frame.columns) == ["recipe", "side", "kind", "metric", "mean", "low", "high"]
    assert "Intervals at 95" in (study_copy / "tables" / "recipes.tex").read_text(encoding="utf-8")
