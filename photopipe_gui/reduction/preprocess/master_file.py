"""Master frames as files: image, MASK, UNCERT and COUNT extensions, and in the header what each input gave.

The files are written here byte by byte, plane after plane in small pieces, since loading astropy takes longer than
combining a night's bias frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import FrameError
from ...instruments.cards import Card
from ...instruments.rawheader import read_layout
from ..digest import WRITER, WRITER_KEY, is_ours, recorded_digest
from ..fitsio import atomic_write
from .master_types import MasterInput, MasterResult

_BLOCK = 2880
_PIECE = 1 << 18  # pixels turned into file order at a time
_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "f4": -32}
_LONGEST_TEXT = 67
VALUES = ("MEDIAN", "RSIGMA", "NREJECT", "NCOMBINE", "RDNOISE")


class HeaderCard(NamedTuple):
    """A card to write."""

    key: str
    value: Card
    comment: str = ""


def input_key(stem: str, index: int) -> str:
    """Return the numbered keyword of an input: ``IMCMB000``; above 999 the stem gives a letter for the fourth digit."""
    return f"{stem}{index:03d}" if index < 1000 else f"{stem[:4]}{index:04d}"


def plain_text(text: str) -> str:
    """Return text as a FITS header can hold it: what is no printable ASCII becomes ``?``."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def card_bytes(card: HeaderCard) -> bytes:
    """Return the 80 bytes of a card; what is no printable ASCII becomes ``?``, long text is cut.

    Raises
    ------
    ValueError
        For a keyword or a number that FITS cannot hold.
    """
    key, value, comment = card
    if not 1 <= len(key) <= 8 or not key.replace("-", "").replace("_", "").isalnum() or key != key.upper():
        raise ValueError(f"{key!r} is no FITS keyword")
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        plain = plain_text(value).replace("'", "''")[:_LONGEST_TEXT]
        if plain.count("'") % 2:
            plain = plain[:-1]
        quoted = f"'{plain:<8}'"
        text = f"{quoted:<20}"
    elif isinstance(value, int):
        text = f"{value:>20}"
    else:
        if not math.isfinite(value):
            raise ValueError(f"{key} is {value}: FITS has no such number")
        text = f"{_decimal(value):>20}"
    line = f"{key:<8}= {text}"
    if comment and len(line) < 75:
        line += f" / {comment}"
    return f"{line[:80]:<80}".encode("ascii", "replace")


def _decimal(value: float) -> str:
    text = repr(float(value)).upper()
    return text if "." in text or "E" not in text else text.replace("E", ".0E")


def write_master(
    path: Path,
    image: NDArray[np.float32],
    cards: Callable[[], Sequence[HeaderCard]],
    room: int,
    extensions: Mapping[str, NDArray[Any]],
) -> None:
    """Write a master and its extensions, atomically and durably.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        The primary image.
    cards : callable
        Gives the cards of the primary header, after the structural ones. Called when the planes are written, so that
        what goes into the header can be worked out meanwhile.
    room : int
        How many cards it gives at most.
    extensions : mapping of str to ndarray
        Further planes by extension name; bytes, 16- or 32-bit integers, or float32.

    Raises
    ------
    NightError
        When the folder cannot be written to or the disk is full.
    """
    with atomic_write(path, durable=True) as stream:
        first = [HeaderCard("SIMPLE", True, "FITS standard"), *_structure(image), HeaderCard("EXTEND", True)]
        size = _whole_blocks(80 * (len(first) + room + 1))
        stream.write(bytes(size))
        _write_pixels(stream, image)
        for name, plane in extensions.items():
            head = [HeaderCard("XTENSION", "IMAGE", "image extension"), *_structure(plane)]
            tail = [HeaderCard("PCOUNT", 0), HeaderCard("GCOUNT", 1), HeaderCard("EXTNAME", name)]
            stream.write(_header([*head, *tail], 0))
            _write_pixels(stream, plane)
        stream.seek(0)
        stream.write(_header([*first, *cards()], size))


def _structure(plane: NDArray[Any]) -> Iterator[HeaderCard]:
    yield HeaderCard("BITPIX", _BITPIX[plane.dtype.str[1:]])
    yield HeaderCard("NAXIS", 2)
    yield HeaderCard("NAXIS1", plane.shape[1])
    yield HeaderCard("NAXIS2", plane.shape[0])


def _whole_blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _header(cards: Sequence[HeaderCard], size: int) -> bytes:
    """Return a header in whole blocks, filled with blank cards before its end to take at least so many bytes."""
    text = b"".join(map(card_bytes, cards))
    if _whole_blocks(len(text) + 80) < size:
        text = text.ljust(size - 80)
    text += f"{'END':<80}".encode()
    return text.ljust(_whole_blocks(len(text)))


def _write_pixels(stream: IO[bytes], plane: NDArray[Any]) -> None:
    rows = max(_PIECE // max(plane.shape[1], 1), 1)
    for y in range(0, plane.shape[0], rows):
        stream.write(plane[y : y + rows].astype(plane.dtype.newbyteorder(">")).data)
    stream.write(bytes(-plane.nbytes % _BLOCK))


def input_cards(inputs: Sequence[MasterInput]) -> list[HeaderCard]:
    """Return the cards that say what was combined and what each input gave."""
    cards = []
    for i, item in enumerate([item for item in inputs if item.used]):
        cards.append(HeaderCard(input_key("IMCMB", i), item.path.name))
        numbers = (item.median, item.scale, item.mean_residual, item.outlier_fraction)
        cards += [
            HeaderCard(input_key(stem, i), value)
            for stem, value in zip(("IMMED", "IMSCL", "IMRES", "IMOUT"), numbers, strict=True)
            if math.isfinite(value)
        ]
        cards.append(HeaderCard(input_key("IMREJ", i), item.n_rejected))
    return cards


def read_master(path: Path | str, frames: Sequence[Path] = ()) -> MasterResult:
    """Return what the header of a master says of it and of its inputs.

    Parameters
    ----------
    path : path
        A master that this program wrote.
    frames : sequence of Path, optional
        Where its inputs lie; by default the folder above the master's, as in the layout of a night.

    Raises
    ------
    FrameError
        When it cannot be read or is not one of ours.
    """
    path = Path(path)
    cards = read_layout(path).cards
    mtype = str(cards.get("MSTTYPE", ""))
    if cards.get(WRITER_KEY) != WRITER or not mtype:
        raise FrameError(path, "it is no master frame of this program", "Build the master again.")
    places = {plain_text(frame.name): frame for frame in frames}
    inputs = []
    for i in range(100000):
        name = cards.get(input_key("IMCMB", i))
        if name is None:
            break
        median, scale, residual, outlying = (
            _number(cards, input_key(stem, i)) for stem in ("IMMED", "IMSCL", "IMRES", "IMOUT")
        )
        place = places.get(str(name), path.parent.parent / str(name))
        inputs.append(
            MasterInput(place, median, scale, int(_number(cards, input_key("IMREJ", i), 0)), outlying, residual)
        )
    values = {key: _number(cards, key) for key in VALUES if key in cards}
    return MasterResult(str(cards.get("MSTKEY", "")), mtype, path, inputs=tuple(inputs), reused=True, values=values)


def _number(cards: Mapping[str, Card], key: str, default: float = math.nan) -> float:
    value = cards.get(key, default)
    return float(value) if isinstance(value, (int, float)) else default


def is_current(path: Path | str, digest: str) -> bool:
    """Return whether a file is whole, ours, and made from the inputs and parameters of the digest."""
    return bool(digest) and is_ours(Path(path)) and recorded_digest(Path(path)) == digest
