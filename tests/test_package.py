"""What `import chestxpert` does: nothing, until a name is asked for."""

import json
import subprocess
import sys

import pytest

import chestxpert

HEAVY = {"torch", "numpy", "pandas", "pyarrow", "PIL", "timm"}


def modules_after(code: str) -> set[str]:
    probe = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    ended = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(json.loads(ended.stdout))


def test_importing_loads_nothing_heavy() -> None:
    assert not HEAVY & modules_after("import chestxpert; chestxpert.__version__; dir(chestxpert)")


def test_every_name_it_lends_is_there() -> None:
    assert set(chestxpert.__all__) <= set(dir(chestxpert))
    for name in chestxpert.__all__:
        assert getattr(chestxpert, name)
    from chestxpert.torch_data import ChestXrayDataset

    assert chestxpert.ChestXrayDataset is ChestXrayDataset
    with pytest.raises(AttributeError, match="'ChestXRayDataset'"):
        chestxpert.ChestXRayDataset  # noqa: B018
