"""What keeping freed memory is worth when a network predicts on the CPU.

    python benchmarks/memory.py [--backbone tf_efficientnet_lite0] [--size 224] [--rounds 3]

Times the same batches of noise through a backbone in processes that keep freed memory and in processes that do not, in
turn, and prints the median ratio of images a second with its range, and the peak memory of each kind.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from chestxpert.models.backbones import create_backbone
from chestxpert.training.engine import Engine, keep_freed_memory

BATCH, BATCHES = 64, 6


def measure(backbone: str, size: int, keep: bool) -> dict[str, float]:
    """Images a second and peak memory in MiB of this process."""
    if keep:
        keep_freed_memory()
    engine = Engine.create("auto", "cpu")
    network = engine.place(create_backbone(backbone, "none")).eval()
    images = torch.rand(BATCH, 3, size, size)
    with torch.inference_mode(), engine.autocast():
        network(images)
        started = time.perf_counter()
        for _ in range(BATCHES):
            network(images)
    rate = BATCH * BATCHES / (time.perf_counter() - started)
    return {"rate": rate, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def in_its_own_process(backbone: str, size: int, keep: bool) -> dict[str, float]:
    """`measure` in a new process, since what it changes holds for a process's whole life."""
    words = ["--backbone", backbone, "--size", str(size), "--only", "keep" if keep else "default"]
    answer = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True).stdout
    result: dict[str, float] = json.loads(answer)
    return result


def main() -> None:
    """Measure in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["keep", "default"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.backbone, arguments.size, arguments.only == "keep")))
        return
    kept, default = [], []
    for _ in range(arguments.rounds):
        kept.append(in_its_own_process(arguments.backbone, arguments.size, keep=True))
        default.append(in_its_own_process(arguments.backbone, arguments.size, keep=False))
    ratios = [a["rate"] / b["rate"] for a, b in zip(kept, default, strict=True)]
    print(f"{arguments.backbone} at {arguments.size} px, predicting in batches of {BATCH}")
    print(f"kept / default: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"peak memory: {max(k['memory'] for k in kept):.0f} MiB, default {max(d['memory'] for d in default):.0f} MiB")


if __name__ == "__main__":
    main()
