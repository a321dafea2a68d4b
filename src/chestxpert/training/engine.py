"""Engine: the one place that knows about devices, number formats and the global random state."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import nn

from chestxpert.errors import RecipeError

Precision = Literal["auto", "float32", "bfloat16"]
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Engine:
    """Where and in which number format networks run.

    Parameters
    ----------
    device : torch.device
    dtype : torch.dtype
        Format of convolutions and matrix products: float32, or bfloat16 under autocast. Weights, losses and
        optimiser states are always float32.
    """

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def create(cls, precision: Precision = "auto", device: str | None = None) -> Engine:
        """Engine on the first CUDA device, else on the CPU.

        Parameters
        ----------
        precision : 'auto' takes bfloat16 where the processor computes in it, and float32 elsewhere
        device : name for torch.device, or None to choose
        """
        try:
            chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        except RuntimeError:
            raise RecipeError(f"There is no device '{device}'. Try 'cpu', 'cuda' or 'cuda:0'.") from None
        wanted = has_bfloat16(chosen) if precision == "auto" else precision == "bfloat16"
        return cls(chosen, torch.bfloat16 if wanted else torch.float32)

    def autocast(self) -> torch.autocast:
        """Context in which convolutions and matrix products run in `dtype`."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    def place(self, module: M) -> M:
        """Move `module` to the device, kernels in channels-last order, which its convolutions are fastest in."""
        # .to(memory_format=...) exists at run time but torch's annotations leave it out for Module.
        return module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def synchronise(self) -> None:
        """Wait until the device has done what was asked of it, so that a clock tells the truth."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @contextlib.contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Context in which the global random state, which dropout draws from, starts at `seed`.

        The state outside is as if nothing had happened.
        """
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    def describe(self) -> dict[str, str]:
        """Device, processor and number format, for the record of a run."""
        name = (
            torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else _cpu_name() or platform.machine()
        )
        return {"device": str(self.device), "processor": name, "dtype": str(self.dtype).removeprefix("torch.")}


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself (CUDA from Ampere on; CPUs with AMX or AVX512-BF16)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # The CPU flags, since PyTorch's own public test says yes where bfloat16 is only emulated, and slow.
    flags = _cpu_field("flags").split()
    return device.type == "cpu" and ("amx_bf16" in flags or "avx512_bf16" in flags)


def _cpu_field(name: str) -> str:
    """Value of a field of Linux's table of processors; empty elsewhere."""
    table = Path("/proc/cpuinfo")
    if not table.is_file():
        return ""
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _cpu_name() -> str:
    return _cpu_field("model name") or platform.processor()


def stream_seed(seed: int, *path: object) -> int:
    """Seed of an independent random stream, named by `path`, of the run with `seed`.

    Streams are named and not drawn one after the other, so that what is resumed in the middle draws what it
    would have drawn unbroken. 63 bits of SHA-256.
    """
    text = "\x1f".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
