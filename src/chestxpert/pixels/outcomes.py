"""What can become of an image that is decoded."""

from __future__ import annotations

from typing import NamedTuple


class Picture(NamedTuple):
    """An image that lies in its row: how it was stored (see `chestxpert.pixels.decode.Decoded`)."""

    width: int
    height: int
    bits: int
    mode: str
    format: str


class Refused(NamedTuple):
    """An image that cannot be had.

    Parameters
    ----------
    detail : str
        Why, for a person.
    certain : bool
        False if a process died over it, which another run may survive.
    """

    detail: str
    certain: bool = True

    def about(self, where: str) -> str:
        """Why an image at this place cannot be had."""
        nameless = "the image "  # so `chestxpert.pixels.decode.read_image` calls bytes
        rest = self.detail.removeprefix(nameless)
        return f"{where} {rest}" if self.detail.startswith(nameless) else f"{where}: {self.detail}"


Outcome = Picture | Refused
