"""The map in docs/architecture.md, held against the imports: arrows between rooms point down."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "chestxpert"

# Top first; rooms of one row do not know each other.
LEVELS = [
    {"__main__"},
    {"cli"},
    {"report"},
    {"study"},
    {"training", "torch_data"},
    {"models", "copies"},
    {"imbalance", "evaluation"},
    {"dataset"},
    {"prepare"},
    {"quality"},
    {"pixels", "simulator"},
    {"cohort", "download"},
    {"recipe", "taxonomy"},
    {"strict_yaml"},
    {"labels"},
    {"files", "folders", "processes", "progress", "streams"},
    {"errors", "__init__"},
]
LEVEL = {room: depth for depth, rooms in enumerate(LEVELS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "chestxpert" else [f"chestxpert.{a.name}" for a in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "chestxpert":
                yield parts[1] if len(parts) > 1 and parts[1] in LEVEL else "__init__"


FILES = sorted(PACKAGE.rglob("*.py"))
ROOT = PACKAGE / "__init__.py"


@pytest.mark.parametrize("path", [path for path in FILES if path != ROOT], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    assert room in LEVEL, f"{room} is no room of docs/architecture.md"
    for other in imported_rooms(path):
        assert other == room or LEVEL[other] > LEVEL[room], f"{path.name} ({room}) imports {other}, which is above it"


def test_the_package_itself_imports_no_room_but_for_type_checkers() -> None:
    """It is below every room, since all read its version, and lends names of some when they are asked for."""
    tree = ast.parse(ROOT.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"importlib", "typing"}


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", ["evaluation", "report", "cohort", "recipe", "taxonomy", "labels", "study", "quality"])
def test_rooms_that_read_stored_results_never_load_a_network_library(room: str) -> None:
    files = [path for path in FILES if room_of(path) == room]
    assert files
    assert not {"torch", "timm", "torchvision"} & set().union(*map(imported_packages, files))


def test_one_module_asks_for_devices() -> None:
    asking = [
        str(path.relative_to(PACKAGE))
        for path in FILES
        if any(
            word in path.read_text(encoding="utf-8")
            for word in ("torch.cuda", "cuda.is_available", "torch.distributed")
        )
    ]
    assert asking == ["training/engine.py"]
