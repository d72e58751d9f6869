"""Reading the header of a FITS file quickly, and where its image lies; no pixel is touched."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from ..errors import FrameError
from .cards import Card, Unparsable

BLOCK = 2880
_MAX_HEADER_BLOCKS = 2000
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?$")
_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


class Layout(NamedTuple):
    """Where and how the first image of a file lies on disk.

    ``offset`` is None when the pixels are not plain (tile-compressed): astropy reads those.
    """

    cards: Mapping[str, Card]
    shape: tuple[int, int]
    dtype: str
    offset: int | None
    bzero: float
    bscale: float


def parse_value(raw: bytes) -> Card:
    """Return the value of a card from the 70 bytes after ``KEYWORD =``; text that fits no type is `Unparsable`."""
    text = raw.strip()
    if text.startswith(b"'"):
        out, i = bytearray(), 1
        while i < len(text):
            if text[i : i + 1] == b"'":
                if text[i + 1 : i + 2] != b"'":
                    return out.decode("latin-1").rstrip()
                i += 1
            out += text[i : i + 1]
            i += 1
        return Unparsable(text.decode("latin-1"))
    value = text.split(b"/", 1)[0].strip()
    if value in (b"T", b"F"):
        return value == b"T"
    if _NUMBER.match(value):
        if value.lstrip(b"+-").isdigit():
            return int(value)
        return float(value.upper().replace(b"D", b"E"))
    return Unparsable(value.decode("latin-1")) if value else ""


class LazyCards(Mapping[str, Card]):
    """Header cards that are parsed when they are asked for: a night's scan reads a dozen of several hundred."""

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        self._raw = {key.rstrip().decode("latin-1"): value for key, value in raw.items()}

    def __getitem__(self, key: str) -> Card:
        return parse_value(self._raw[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def completed_by(self, extension: LazyCards) -> LazyCards:
        """Return these cards with those of an extension over them."""
        both = LazyCards({})
        both._raw = {**self._raw, **extension._raw}
        return both


def _header_block(stream: IO[bytes], path: Path) -> LazyCards:
    """Read one header unit from the stream; leaves the stream at the data."""
    raw: dict[bytes, bytes] = {}
    for count in range(_MAX_HEADER_BLOCKS):
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            reason = "it is empty" if count == 0 and not block else "the file ends inside its header"
            raise FrameError(path, reason, "Copy it again from the telescope, or wait until it is written.")
        if count == 0 and not (block.startswith((b"SIMPLE  =", b"XTENSION="))):
            raise FrameError(path, "this is not a FITS file", "Move it out of the night.")
        for i in range(0, BLOCK, 80):
            key = block[i : i + 8]
            if key == b"END     " and not block[i + 8 : i + 80].strip():
                return LazyCards(raw)
            if block[i + 8 : i + 10] == b"= ":
                raw.setdefault(key, block[i + 10 : i + 80])
    raise FrameError(path, "its header has no end", "The file is damaged; copy it again from the telescope.")


def _integer(cards: Mapping[str, Card], key: str, path: Path, default: int | None = None) -> int:
    value = cards.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FrameError(path, f"{key} is {value!r}, not a whole number", "The header is damaged.")
    return value


def _data_size(cards: Mapping[str, Card], path: Path) -> int:
    """Bytes of a data unit, without padding."""
    axes = [_integer(cards, f"NAXIS{n + 1}", path) for n in range(_integer(cards, "NAXIS", path, 0))]
    if not axes:
        return 0
    if min(axes) < 0:
        raise FrameError(path, "an image axis is negative", "The header is damaged.")
    size = abs(_integer(cards, "BITPIX", path)) // 8
    pixels = math.prod(axes)
    return size * _integer(cards, "GCOUNT", path, 1) * (_integer(cards, "PCOUNT", path, 0) + pixels)


def _number(cards: Mapping[str, Card], key: str, default: float) -> float:
    value = cards.get(key, default)
    return float(value) if isinstance(value, (int, float)) else default


def read_layout(path: Path | str) -> Layout:
    """Read the header of the first two-dimensional image of a file and where its pixels lie.

    The primary header's cards are completed by those of the extension that holds the image.

    Raises
    ------
    FrameError
        When the file is missing, no FITS file, damaged, cut short, or holds no image.
    """
    path = Path(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FrameError(
            path, f"it cannot be read ({error.strerror})", "Check the file and its permissions."
        ) from error
    with stream:
        file_size = os.fstat(stream.fileno()).st_size
        cards = _header_block(stream, path)
        primary = cards
        while True:
            naxis = _integer(cards, "NAXIS", path, 0)
            start, size = stream.tell(), _data_size(cards, path)
            if cards.get("ZIMAGE") is True:
                shape = (_integer(cards, "ZNAXIS2", path), _integer(cards, "ZNAXIS1", path))
                if start + size > file_size:
                    raise FrameError(
                        path,
                        f"the file ends after {file_size} of {start + size} bytes",
                        "It is cut short or still being written.",
                    )
                return Layout(primary.completed_by(cards), shape, "", None, 0.0, 1.0)
            if naxis == 2 and cards.get("XTENSION", "IMAGE") == "IMAGE" and size:
                bitpix = _integer(cards, "BITPIX", path)
                if bitpix not in _DTYPES:
                    raise FrameError(path, f"BITPIX {bitpix} is not a FITS pixel type", "The header is damaged.")
                if start + size > file_size:
                    raise FrameError(
                        path,
                        f"the file ends after {file_size} of {start + size} bytes",
                        "It is cut short or still being written.",
                    )
                shape = (_integer(cards, "NAXIS2", path), _integer(cards, "NAXIS1", path))
                return Layout(
                    primary.completed_by(cards),
                    shape,
                    _DTYPES[bitpix],
                    start,
                    _number(cards, "BZERO", 0.0),
                    _number(cards, "BSCALE", 1.0),
                )
            following = start + -(-size // BLOCK) * BLOCK
            if following + BLOCK > file_size:
                raise FrameError(path, "it holds no two-dimensional image", "Move it out of the night.")
            stream.seek(following)
            cards = _header_block(stream, path)
