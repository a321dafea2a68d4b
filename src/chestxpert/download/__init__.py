"""ChestX-ray14 from where NIH keeps it to a folder here: resumed after a cut, verified, several files at once."""

from chestxpert.download.catalogue import ARCHIVES, LABELS, RemoteFile, choose
from chestxpert.download.report import Report
from chestxpert.download.together import download, fetch_all
from chestxpert.download.waiting import Patience

__all__ = ["ARCHIVES", "LABELS", "Patience", "RemoteFile", "Report", "choose", "download", "fetch_all"]
