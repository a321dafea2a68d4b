"""ChestXpert: honest comparison of flat and hierarchical classifiers on long-tailed chest X-rays.

A research tool, not a medical device. Importing this package imports nothing heavy and does nothing; the classes in
`__all__` are looked up when they are first asked for.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["ChestXrayDataset", "MultiSourceDataset", "__version__"]

_LENT = {"ChestXrayDataset": "chestxpert.torch_data", "MultiSourceDataset": "chestxpert.torch_data"}
"""Names that this package lends from the rooms above it, so that no room has to be known to use them."""


if TYPE_CHECKING:
    from chestxpert.torch_data import ChestXrayDataset, MultiSourceDataset
else:  # hidden from type checkers, to which a module with __getattr__ has every name there is

    def __getattr__(name: str) -> object:
        if name not in _LENT:
            raise AttributeError(f"module 'chestxpert' has no attribute '{name}'")
        return getattr(_import_module(_LENT[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LENT})
