"""What a download has to say at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chestxpert.download.catalogue import NIH_PAGE, RemoteFile
from chestxpert.download.verify import Verdict
from chestxpert.progress import size_text


@dataclass(frozen=True)
class Failure:
    """A file that could not be had: why (a clause), and what to do (sentences)."""

    file: RemoteFile
    problem: str
    advice: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What is in the folder.

    Parameters
    ----------
    folder : Path
        The folder.
    there_before, fetched : mapping of RemoteFile to Verdict
        Files that are there and right: those that were, and those that have come.
    """

    folder: Path
    there_before: Mapping[RemoteFile, Verdict]
    fetched: Mapping[RemoteFile, Verdict]

    @property
    def files(self) -> dict[RemoteFile, Verdict]:
        """All files that are there and right."""
        return {**self.there_before, **self.fetched}

    def summary(self) -> str:
        """What is there and how that is known, in lines for a person; the last one says what to do next."""
        archives = [file for file in self.files if file.is_archive]
        labels = [file for file in self.files if not file.is_archive]
        total = size_text(sum(file.size for file in self.files))
        lines = [
            f"{self.folder} holds {_counted(archives, 'archive')} and {_counted(labels, 'label file')} ({total}), all "
            f"verified: {len(self.fetched)} fetched now, {len(self.there_before)} there before."
        ]
        lines += [
            f"{file.name} has an MD5 that nobody has recorded; it was accepted for its contents (docs/download.md)."
            for file, verdict in self.files.items()
            if verdict.by_contents
        ]
        credit = f"NIH asks to link to {NIH_PAGE}, to cite Wang et al., CVPR 2017, and to name the NIH Clinical Center."
        return "\n".join([*lines, credit, f"Next: {self._next(bool(archives), bool(labels))}"])

    def _next(self, archives: bool, labels: bool) -> str:
        if archives and labels:
            return f"chestxpert data prepare {self.folder} --out data/nih (archives are read as they are)"
        return f"chestxpert data download {self.folder} --only {'labels' if archives else 'images'}"


def failure_text(report: Report, failures: Sequence[Failure]) -> str:
    """Everything that failed, files with the same trouble together, and what to do; several lines."""
    right = len(report.files)
    lines = [
        f"{len(failures)} of {len(failures) + right} files could not be had; {right} are in {report.folder}, verified."
    ]
    groups: dict[str, list[str]] = {}
    for failure in failures:
        groups.setdefault(failure.problem, []).append(failure.file.name)
    lines += [f"  {', '.join(names)}: {problem}." for problem, names in groups.items()]
    lines += dict.fromkeys(sentence for failure in failures for sentence in failure.advice)
    if by_hand := ", ".join(failure.file.name for failure in failures if not failure.file.is_archive):
        lines.append(f"Or get {by_hand} from {NIH_PAGE} with a browser, and put what you got into {report.folder}.")
    return "\n".join([*lines, "What has come is kept, and the same command goes on with it."])


def _counted(files: Sequence[RemoteFile], noun: str) -> str:
    return f"{len(files)} {noun}{'' if len(files) == 1 else 's'}"
