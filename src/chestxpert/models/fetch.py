"""Child process that downloads one file from the hub.

Called as ``python -m chestxpert.models.fetch REPO NAME REVISION CACHE ENDPOINT``, it
prints the file's path in the cache, or the reason why not on stderr and exits with 1. `hub.HubFile.download` starts
it and ends it if it stalls. It imports nothing heavy, to be quick.
"""

from __future__ import annotations

import sys

import huggingface_hub


def main(repo: str, name: str, revision: str, cache: str, endpoint: str) -> int:
    """Download, print, and give the exit code."""
    try:
        path = huggingface_hub.hf_hub_download(repo, name, revision=revision, cache_dir=cache, endpoint=endpoint)
    except Exception as error:  # any failure is reported to the parent as one line
        sys.stderr.write(reason(error) + "\n")
        return 1
    sys.stdout.write(path + "\n")
    return 0


def reason(error: BaseException) -> str:
    """One line on what started it all: the library wraps a 404 or a time-out in advice about connections."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
