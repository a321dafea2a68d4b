"""Pretrained weights from the Hugging Face hub, where timm keeps them, without ever hanging.

Whether the hub answers is found out by one request with a hard deadline. The download itself runs in a process of
its own: its environment alone can silence and limit the library, and a process that stalls can be ended, which a
thread cannot. HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE and HF_HOME are honoured as they stand when asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants

from chestxpert.errors import WeightsError
from chestxpert.models.fetch import reason

PROBE_SECONDS = 5.0
"""How long the hub has to answer before it counts as out of reach."""

STALL_SECONDS = 30.0
"""How long a download may go without a new byte before it is given up."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class HubSettings:
    """Where the hub is, where its files are kept, and whether it may be asked at all."""

    endpoint: str
    cache: Path
    offline: bool

    @classmethod
    def from_environment(cls) -> HubSettings:
        """Settings as the environment has them now; what it leaves open is huggingface_hub's own default."""
        env = os.environ
        home = env.get("HF_HOME")
        cache = env.get("HF_HUB_CACHE") or (Path(home, "hub") if home else constants.HF_HUB_CACHE)
        offline = env.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") or constants.HF_HUB_OFFLINE
        return cls((env.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/"), Path(cache).expanduser(), offline)


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the hub."""

    repo: str
    name: str = "model.safetensors"
    revision: str = "main"

    def __str__(self) -> str:
        return f"{self.repo}/{self.name}"

    def cached(self, settings: HubSettings) -> Path | None:
        """The file in the local cache, or None."""
        found = huggingface_hub.try_to_load_from_cache(
            self.repo, self.name, cache_dir=settings.cache, revision=self.revision
        )
        return Path(found) if isinstance(found, str) else None

    def unreachable(self, settings: HubSettings, timeout: float = PROBE_SECONDS) -> str | None:
        """Why the file cannot be fetched, or None if the hub offers it; answers within `timeout` seconds.

        Name resolution has no time-out of its own, and a server can accept and then say nothing or drip: so the
        question is asked in a thread that is left behind when time is up.
        """
        if settings.offline:
            return "HF_HUB_OFFLINE is set"
        answers: list[str | None] = []
        thread = threading.Thread(target=self._ask, args=(settings, timeout, answers), daemon=True)
        thread.start()
        thread.join(timeout)
        return answers[0] if answers else f"{settings.endpoint} did not answer within {timeout:g} s"

    def _ask(self, settings: HubSettings, timeout: float, answers: list[str | None]) -> None:
        url = huggingface_hub.hf_hub_url(self.repo, self.name, revision=self.revision, endpoint=settings.endpoint)
        try:
            # Its own time-out only ends the thread: the deadline is kept by whoever waits for it.
            found = huggingface_hub.get_hf_file_metadata(url, timeout=timeout + 1)
        except Exception as error:  # whatever the library, the network or a proxy comes up with means 'no'
            answers.append(f"{settings.endpoint} answers: {reason(error)}")
        else:
            complete = found.commit_hash and found.etag
            answers.append(None if complete else f"{settings.endpoint} is no Hugging Face hub")

    def download(self, settings: HubSettings, stall: float = STALL_SECONDS, say: Say | None = None) -> Path:
        """Fetch the file into the cache and give its path there.

        Raises
        ------
        WeightsError
            If the download fails, or no new byte arrives for `stall` seconds.
        """
        command = [sys.executable, "-P", "-m", "chestxpert.models.fetch", self.repo, self.name, self.revision]
        command += [str(settings.cache), settings.endpoint]
        with subprocess.Popen(
            command, env=_quiet_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            try:
                self._watch(child, settings, stall, say)
                out, err = child.communicate()
            finally:
                child.kill()
        if child.returncode != 0:
            why = err.strip().splitlines()[-1] if err.strip() else f"exit code {child.returncode}"
            raise WeightsError(f"The download of {self} from {settings.endpoint} failed: {why}.")
        return Path(out.strip().splitlines()[-1])

    def _watch(self, child: subprocess.Popen[str], settings: HubSettings, stall: float, say: Say | None) -> None:
        """Wait for `child`, as long as what it has fetched grows."""
        blobs = settings.cache / f"models--{self.repo.replace('/', '--')}" / "blobs"
        fetched, last_growth, last_word = 0, time.monotonic(), time.monotonic()
        while True:
            try:
                child.wait(timeout=0.2)
                return
            except subprocess.TimeoutExpired:
                now = time.monotonic()
            size = _size_of_parts(blobs)
            if size > fetched:  # a server that cuts every answer short starts over and over, and gets no further
                fetched, last_growth = size, now
            if now - last_growth > stall:
                raise WeightsError(
                    f"The download of {self} from {settings.endpoint} stalled: nothing new for {stall:g} s."
                )
            if say is not None and now - last_word > 5:
                say(f"{self}: {fetched / 1e6:.0f} MB so far")
                last_word = now


def _quiet_environment() -> dict[str, str]:
    """Environment of this process with the library told to be silent, plain and quick to give up."""
    quiet = {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",  # keeps parts of the file where no growth could be seen
        "HF_HUB_VERBOSITY": "error",
    }
    return {**os.environ, **quiet}


def _size_of_parts(folder: Path) -> int:
    """Bytes in unfinished files of `folder`; one that is renamed meanwhile counts as nothing."""
    total = 0
    for part in folder.glob("*.incomplete*"):
        try:
            total += part.stat().st_size
        except FileNotFoundError:
            continue
    return total
