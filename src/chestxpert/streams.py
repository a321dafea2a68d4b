"""Random streams with names, so that what is drawn for one thing never depends on what was drawn before."""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, *path: object) -> int:
    """Seed of an independent random stream, named by `path`, of the run with `seed`.

    Streams are named and not drawn one after the other, so that what is resumed in the middle draws what it
    would have drawn unbroken. 63 bits of SHA-256.
    """
    text = "\x1f".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
