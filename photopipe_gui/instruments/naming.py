"""Names of raw frames: reading them, giving the standard ones, and taking that back."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import FrameError, NightError
from .model import LETTER_OF_TYPE, TYPE_LETTERS, Cards, HeaderProblem, Instrument
from .rawheader import read_layout
from .values import moment, text

JOURNAL = "photopipe_renames.jsonl"
_FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.fz")
_STANDARD = re.compile(r"^(\d{8}T\d{6})(\d{1,6})?(?:-(\d+))?C(\d)([bdfo])\.(?:fits?|fts|fits\.fz)$", re.IGNORECASE)
_HALF = re.compile(r"^\d{8}T\d{6}(?:\d{1,6})?(?:-\d+)?C\d[bdfo]_[^/]+\.fits$")


@dataclass(frozen=True, slots=True)
class RawName:
    """What a raw frame's name says."""

    time: str
    camera: int
    ftype: str


@dataclass(frozen=True, slots=True)
class Rename:
    """One rename in a night: names without folders, and why a frame kept its own (empty ``new``)."""

    old: str
    new: str
    problem: str = ""


def fits_files(folder: Path) -> list[Path]:
    """Return the FITS files directly in a folder, by name, without hidden ones.

    Raises
    ------
    NightError
        When the folder is missing, not a folder or not readable.
    """
    if not folder.exists():
        raise NightError(f"{folder} does not exist. Check the path of the night.")
    if not folder.is_dir():
        raise NightError(f"{folder} is a file, not a night directory. Give the folder that holds the raw frames.")
    try:
        with os.scandir(folder) as entries:
            found = [
                Path(entry.path)
                for entry in entries
                if entry.name.lower().endswith(_FITS_ENDINGS) and not entry.name.startswith(".") and entry.is_file()
            ]
    except OSError as error:
        raise NightError(f"{folder} cannot be read ({error.strerror}). Check its permissions.") from error
    return sorted(found)


def parse_standard(name: str) -> RawName | None:
    """Return what a standard raw name says, or None when it is not one."""
    match = _STANDARD.match(name)
    if match is None:
        return None
    return RawName(match.group(1), int(match.group(4)), TYPE_LETTERS[match.group(5).lower()])


def is_half_copy(name: str) -> bool:
    """Return whether a name is that of a half of a split camera's frame, as written by us."""
    return _HALF.match(name) is not None


def is_raw(instrument: Instrument, name: str) -> bool:
    """Return whether a file of that name is a raw frame, renamed or not."""
    pattern = instrument.naming.pattern
    return parse_standard(name) is not None or bool(pattern and pattern.match(name))


def classify(instrument: Instrument, name: str, cards: Cards) -> tuple[int, str]:
    """Return camera number and frame type of a raw frame, from its standard name, else from its header.

    Raises
    ------
    HeaderProblem
        When neither tells; the text says why.
    """
    raw = parse_standard(name)
    if raw is not None:
        return raw.camera, raw.ftype
    naming = instrument.naming
    if naming.frame_type is None or naming.camera is None:
        raise HeaderProblem("its name is not of the form YYYYMMDDThhmmssC<camera><type>.fits")
    ftype = naming.frame_type(cards)
    if ftype is None:
        value = text(cards, naming.type_card)
        raise HeaderProblem(f"{naming.type_card} is {value!r}: neither bias, dark, flat nor object; left alone")
    return naming.camera(cards), ftype


def standard_name(instrument: Instrument, cards: Cards, taken: Iterable[str]) -> str:
    """Return the standard name of a raw frame that does not collide with those taken.

    The second frame of a camera and type in one second gets its milliseconds; a further one a counter.

    Raises
    ------
    HeaderProblem
        When time, camera or type cannot be read.
    """
    camera, ftype = classify(instrument, "", cards)
    key = instrument.naming.time_card
    time = moment(cards.get(key), key)
    tail = f"C{camera}{LETTER_OF_TYPE[ftype]}.fits"
    used = set(taken)
    stem = time.strftime("%Y%m%dT%H%M%S")
    fine = f"{stem}{time.microsecond // 1000:03d}"
    candidates = [f"{stem}{tail}", f"{fine}{tail}"]
    counter = 1
    while candidates and candidates[0] in used:
        candidates.pop(0)
        if not candidates:
            counter += 1
            candidates.append(f"{fine}-{counter}{tail}")
    return candidates[0]


def _append(journal: Path, entry: dict[str, str]) -> None:
    try:
        with journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise NightError(
            f"{journal} cannot be written ({error.strerror}), so no frame is renamed. Check that you may write in the "
            "night's folder."
        ) from error


def _move_without_overwriting(source: Path, target: Path) -> None:
    """Rename; an existing target is an error, never replaced."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        # No hard links on this file system: the check and the rename are two steps.
        if target.exists():
            raise FileExistsError(f"{target} exists") from None
        os.rename(source, target)
    else:
        os.unlink(source)


def read_journal(folder: Path) -> list[tuple[str, str]]:
    """Return the journalled renames (old name, new name), oldest first; damaged lines are passed over."""
    renames = []
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                renames.append((str(entry["old"]), str(entry["new"])))
    return renames


def _finish_interrupted(folder: Path) -> None:
    """A program killed between link and unlink leaves a frame under both names: take the old one away."""
    for old, new in read_journal(folder)[-1:]:
        first, second = folder / old, folder / new
        with contextlib.suppress(OSError):
            if first.exists() and second.exists() and os.path.samefile(first, second):
                first.unlink()


def rename_night(folder: Path | str, instrument: Instrument) -> list[Rename]:
    """Give the raw frames of a night their standard names, journalled, without ever replacing a file.

    Returns
    -------
    list of Rename
        One for each frame that was not in the standard form; those that kept their name say why.

    Raises
    ------
    NightError
        When the folder cannot be read, or the journal cannot be written.
    """

    folder = Path(folder)
    pattern = instrument.naming.pattern
    if pattern is None:
        return []
    if folder.is_dir():
        _finish_interrupted(folder)
    files = fits_files(folder)
    taken = {path.name for path in files}
    done: list[Rename] = []
    for path in files:
        if parse_standard(path.name) or not pattern.match(path.name):
            continue
        try:
            new = standard_name(instrument, read_layout(path).cards, taken)
        except (FrameError, HeaderProblem) as problem:
            reason = problem.reason if isinstance(problem, FrameError) else str(problem)
            done.append(Rename(path.name, "", reason))
            continue
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        _append(folder / JOURNAL, {"old": path.name, "new": new, "time": now})
        try:
            _move_without_overwriting(path, folder / new)
        except OSError as error:
            raise NightError(f"{path} cannot be renamed to {new} ({error}). Nothing was lost.") from error
        taken.add(new)
        done.append(Rename(path.name, new))
    return done


def restore_names(folder: Path | str) -> list[Rename]:
    """Play the journal back: every renamed frame gets its original name again.

    A frame that is gone, or whose old name is taken, is named with its reason and left. The journal is kept under
    another name when all went well.
    """
    folder = Path(folder)
    fits_files(folder)
    back: list[Rename] = []
    for old, new in reversed(read_journal(folder)):
        if Path(old).name != old or Path(new).name != new:
            back.append(Rename(new, "", "the journal names another folder; left alone"))
            continue
        source, target = folder / new, folder / old
        if not source.exists():
            if not target.exists():
                back.append(Rename(new, "", "the frame is no longer there"))
            continue
        try:
            _move_without_overwriting(source, target)
            back.append(Rename(new, old))
        except OSError as error:
            back.append(Rename(new, "", f"it cannot be renamed to {old} ({error})"))
    if back and not any(entry.problem for entry in back):
        os.replace(folder / JOURNAL, folder / (JOURNAL + ".played-back"))
    return back
