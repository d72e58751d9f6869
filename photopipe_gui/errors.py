"""The errors that reach a user: each is a sentence that names the file, what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path


class PhotopipeError(Exception):
    """Base of every error whose text is meant for the observer."""


class UsageError(PhotopipeError, ValueError):
    """An argument or option that cannot be used as given."""


class NightError(PhotopipeError):
    """The night directory as a whole cannot be used (missing, empty, read-only, full)."""


class FrameError(PhotopipeError):
    """One frame cannot be used; the rest of the night goes on.

    Parameters
    ----------
    path : Path or str
        The file the sentence is about.
    reason : str
        What is wrong, without the file name, e.g. ``"the file ends after 2097152 of 2099520 bytes"``.
    remedy : str, optional
        What the observer can do about it.
    """

    def __init__(self, path: Path | str, reason: str, remedy: str = "") -> None:
        self.path = Path(path)
        self.reason = reason
        self.remedy = remedy
        super().__init__(path, reason, remedy)

    def __str__(self) -> str:
        tail = f" {self.remedy}" if self.remedy else ""
        return f"{self.path.name}: {self.reason}.{tail}"


class MissingMasterError(PhotopipeError):
    """A master frame that a step needs does not exist; the text says which and how to make it."""


class Cancelled(PhotopipeError):
    """The observer stopped the job."""
