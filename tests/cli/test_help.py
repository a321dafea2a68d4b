import inspect
import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from chestxpert import __version__
from chestxpert.cli.main import build_parser, main

COMMANDS = [
    [], ["data"], ["data", "download"], ["data", "prepare"], ["data", "check"], ["data", "report"],
    ["data", "simulate"], ["data", "oversample"], ["compare"], ["train"], ["ensemble"], ["evaluate"], ["localize"],
    ["agree"], ["report"], ["card"], ["data", "card"], ["recipes"], ["taxonomy"], ["taxonomy", "list"],
    ["taxonomy", "show"],
]  # fmt: skip
HEAVY = {
    "torch", "torchvision", "timm", "numpy", "pandas", "pyarrow", "PIL", "scipy", "sklearn", "jinja2", "tqdm", "httpx",
    "huggingface_hub",
}  # fmt: skip

PROBE = """
import json, sys
from chestxpert.cli.main import main
code = main(sys.argv[1:])
print(json.dumps({"code": code, "modules": sorted({name.partition(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_worth_reading_and_loads_nothing_heavy(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, *command, "--help"], capture_output=True, text=True, check=True
    )
    told = json.loads(ended.stderr)
    assert told["code"] == 0
    assert not HEAVY & set(told["modules"])
    assert f"usage: {' '.join(['chestxpert', *command])}" in ended.stdout
    assert "  chestxpert " in ended.stdout.split("options:")[1], "no examples"
    assert len(ended.stdout.splitlines()) > 10
    assert max(map(len, ended.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], "flat-basic one network, one logit a finding"),
        (["--methods"], "asymmetric (asl) ASL: easy negatives"),
        (["flat-focal"], "It differs from flat-basic in loss.kind: focal (flat-basic: bce)"),
    ],
    ids=["list", "methods", "one"],
)
def test_the_list_of_recipes_loads_no_network_library(words: list[str], found: str) -> None:
    ended = subprocess.run([sys.executable, "-c", PROBE, "recipes", *words], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(ended.stderr)["modules"])
    assert found in " ".join(ended.stdout.split())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chestxpert {__version__}\n"


@pytest.mark.parametrize("command", [[], ["data"], ["taxonomy"]], ids=["chestxpert", "data", "taxonomy"])
def test_half_a_command_prints_help_and_is_wrong_use(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "examples:" in told.err or "a first study" in told.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("comapre", "there is no 'comapre'. Did you mean 'compare'?"),
        ("data prepair x --out y", "there is no 'prepair'. Did you mean 'prepare'?"),
        ("data simulate", "required: --out"),
        ("data prepare x --out y --labels nih14", "Did you mean 'nih15'?"),
        ("data prepare x --out y --split patient", "There is: auto, official, random, test."),
        ("data prepare x --out y --val-fraction 2", "is a number from 0 to 1, but got 2"),
        ("data simulate --out y --difficulty hard", "takes a number, but got 'hard'"),
        ("data oversample x --out y --copies Hernia", "such as Hernia=1005, but got 'Hernia'"),
        ("data oversample x --out y --copies Hernia=0", "such as Hernia=1005"),
        ("data oversample x --out y --target 0.1 --like-study", "not allowed with argument --target"),
        ("compare --data x --out y --frezee", "'--frezee' is not understood. Did you mean '--freeze'?"),
        ("compare --data x --out y --see 3", "Did you mean '--seeds'?"),
        ("compare --data x --out y --seeds 0", "is at least 1, but got 0"),
        ("compare --data x --out y --seeds two", "takes a whole number, but got 'two'"),
        ("compare --data x --out y surplus", "'surplus' is not understood"),
        ("compare --data x --out y --sweeps a=1", "Did you mean '--sweep'?"),
        ("train --data x --out y", "required: RECIPE"),
        ("recipes flat-basic --methods", "not allowed with argument NAME"),
        ("agree studies/first", "required: SOURCE"),
        ("agree s t --format nhi", "Did you mean 'nih'?"),
        ("ensemble s --average prob", "Did you mean 'probs'?"),
        ("ensemble", "required: STUDY|RUN"),
    ],
)
def test_wrong_use_is_explained_in_two_lines(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.splitlines()) == 2
    assert "--help" in told.err


def parse(line: str) -> Namespace:
    return build_parser().parse_args(line.split())


def test_several_recipes_go_to_one_option_and_overrides_add_up() -> None:
    arguments = parse("compare --data d --out o --recipes a b c --set size=128 --set epochs=12 --seeds 3")
    assert arguments.recipes == ["a", "b", "c"]
    assert arguments.overrides == ["size=128", "epochs=12"]
    assert (arguments.data, arguments.out, arguments.seeds) == (Path("d"), Path("o"), 3)


def test_sweeps_add_up() -> None:
    arguments = parse("compare --data d --out o --sweep loss.kind=bce,focal --recipes a --sweep size=64,128")
    assert arguments.sweeps == ["loss.kind=bce,focal", "size=64,128"]
    assert parse("compare --data d --out o").sweeps == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("compare --data x --out y --set loss.gama=2", "flat-basic: loss: unknown key 'gama'"),
        ("compare --data x --out y --recipes flta-*", "No recipe matches 'flta-*'"),
        ("compare --data x --out y --sweep lr=1,2", "Did you mean 'optimizer.lr'?"),
        ("train flat-* --data x --out y", "There is no recipe 'flat-*'"),
        ("recipes flat-bsic", "Did you mean 'flat-basic'?"),
    ],
)
def test_recipes_that_cannot_be_meant_are_wrong_use(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err


def test_defaults_shown_are_the_defaults_of_what_is_called() -> None:
    from chestxpert.copies import oversample_to_disk
    from chestxpert.dataset import prepare
    from chestxpert.download import download
    from chestxpert.report.cards import build_data_card, build_model_card
    from chestxpert.report.dataset import build_data_report
    from chestxpert.simulator import simulate
    from chestxpert.study.run import run_study
    from chestxpert.study.stored import write_comparison

    for line, function, needed in [
        ("data download d", download, 4),
        ("data simulate --out o", simulate, 7),
        ("data prepare s --out o", prepare, 11),
        ("data oversample d --out o", oversample_to_disk, 7),
        ("compare --data d --out o --workers 1", run_study, 3),
        ("report s", write_comparison, 6),
        ("data report d", build_data_report, 4),
        ("data card d", build_data_card, 4),
        ("card s", build_model_card, 5),
    ]:
        given = vars(parse(line))
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if name in given and parameter.default is not inspect.Parameter.empty
        }
        assert len(defaults) == needed, line
        assert {name: given[name] for name in defaults} == defaults, line


def test_the_number_of_draws_in_the_help_is_that_of_the_library() -> None:
    from chestxpert.cli import options
    from chestxpert.evaluation import bootstrap

    assert options.DRAWS == bootstrap.DRAWS


@pytest.mark.parametrize("command", ["compare", "report"])
def test_a_margin_goes_from_the_command_line_to_the_comparison(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import chestxpert.report
    import chestxpert.study.run
    import chestxpert.study.stored

    seen = {}
    for module, name in ((chestxpert.study.run, "run_study"), (chestxpert.study.stored, "write_comparison")):
        monkeypatch.setattr(module, name, lambda first, *args, **kwargs: seen.update(kwargs, first=first) or {})
    monkeypatch.setattr(chestxpert.report, "build_report", lambda study, images=True: study)
    monkeypatch.setattr(chestxpert.report, "summary_text", lambda comparison: "")
    arguments = ["--data", "d", "--out", "o", "--recipes", "flat-basic"] if command == "compare" else ["o"]
    assert main([command, *arguments, "--margin", "0.01"]) == 0
    assert (seen["first"].margin if command == "compare" else seen["margin"]) == 0.01
    assert seen["draws"] == 2000
