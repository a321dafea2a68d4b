"""Engine: the one place that knows about devices, number formats and the global random state."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import nn

from chestxpert.errors import RecipeError
from chestxpert.streams import stream_seed as stream_seed  # re-exported: here is where trainings look for it

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
    def create(
        cls, precision: Precision = "auto", device: str | None = None, trained: nn.Module | None = None
    ) -> Engine:
        """Engine on the first CUDA device, else on the CPU.

        Parameters
        ----------
        precision : 'auto' takes the faster format on this processor (`prefers_bfloat16`)
        device : name for torch.device, or None to choose
        trained : the network whose convolutions are to be trained; None if they only predict
        """
        try:
            chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        except RuntimeError:
            raise RecipeError(f"There is no device '{device}'. Try 'cpu', 'cuda' or 'cuda:0'.") from None
        wanted = prefers_bfloat16(chosen, trained) if precision == "auto" else precision == "bfloat16"
        if chosen.type == "cuda":
            # The same seed is to give the same predictions, and float32 is to mean float32.
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
            torch.backends.cudnn.allow_tf32 = precision != "float32"
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
    def one_thread(self) -> Iterator[None]:
        """Context for work too small to share between threads, such as training a head on features.

        A step of a head takes a few milliseconds; several threads spend more than that on waiting for each other,
        and many times more while another program wants a core.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

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


def prefers_bfloat16(device: torch.device, trained: nn.Module | None = None) -> bool:
    """Whether bfloat16 is the faster format: CUDA from Ampere on, CPUs with AMX, and mostly those with AVX512-BF16.

    The exception is training depthwise convolutions without AMX: predicting gains from bfloat16 there, but their
    gradients lose as much (`benchmarks/training.py` measures it).
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # The CPU flags, since PyTorch's own public test says yes where bfloat16 is only emulated, and slow.
    flags = _cpu_field("flags").split() if device.type == "cpu" else []
    if "amx_bf16" in flags:
        return True
    return "avx512_bf16" in flags and not (trained is not None and has_depthwise(trained))


def has_depthwise(network: nn.Module) -> bool:
    """Whether `network` has convolutions that treat each channel apart, as EfficientNets do."""
    return any(isinstance(part, nn.Conv2d) and part.groups == part.in_channels > 1 for part in network.modules())


def keep_freed_memory() -> bool:
    """Let the C library keep what a step frees, for the next step to use; returns whether it does (glibc alone can).

    It holds for the whole process and for good. Every pass through a network on a CPU allocates and frees hundreds of
    megabytes. By default each large block goes back to the system, which then hands out zeroed pages anew: a sixth of
    a training step of EfficientNet-Lite0 on two cores, and half the time of predicting with it.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    m_trim_threshold, m_mmap_max = -1, -4  # from glibc's malloc.h
    return bool(mallopt(m_mmap_max, 0)) and bool(mallopt(m_trim_threshold, 2**31 - 1))


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
