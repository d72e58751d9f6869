"""Frames on disk as the sources of a combination: rectangles read on demand, 16-bit integers kept as integers."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FrameError
from ..core.combine import Tile
from ..fitsio import Area, Card, Layout, read_layout, read_pixels

_MOST_OPEN = 200  # files held open at once by the sources of one process
_open_files = threading.BoundedSemaphore(_MOST_OPEN)
_buffers = threading.local()
_SHORTER = "the file became shorter while it was read"


class FitsSource:
    """The first image of a FITS file, or a rectangle of it, as a `core.combine.Source`.

    Parameters
    ----------
    path : path
        The frame.
    area : Area, optional
        The part that is the image; the whole by default.
    layout : Layout, optional
        From `read_layout`, to spare a second reading of the header.

    Raises
    ------
    FrameError
        When the file is missing, damaged, cut short, or does not hold the area.
    """

    def __init__(self, path: Path | str, area: Area | None = None, layout: Layout | None = None) -> None:
        self.path = Path(path)
        self._layout = layout or read_layout(self.path)
        ny, nx = self._layout.shape
        self._area = Area(*area) if area is not None else Area(0, ny, 0, nx)
        y0, y1, x0, x1 = self._area
        if not (0 <= y0 < y1 <= ny and 0 <= x0 < x1 <= nx):
            raise FrameError(
                self.path,
                f"the image is {nx} x {ny} px, without the area x {x0}-{x1}, y {y0}-{y1}",
                "It was read out with another window or binning; leave it out.",
            )
        self._row = nx
        self._file = -1
        self._held = False
        self._lock = threading.Lock()
        self._stored, self._start = self._prepare()

    def _prepare(self) -> tuple[np.dtype[Any], int]:
        """Return type and place of the pixels; those of a compressed file are unpacked into a file without a name."""
        layout = self._layout
        if layout.offset is not None:
            return np.dtype(layout.dtype), layout.offset
        import tempfile

        pixels = read_pixels(self.path, None, layout)
        with tempfile.TemporaryFile() as unpacked:
            pixels.tofile(unpacked)
            unpacked.flush()
            self._file = os.dup(unpacked.fileno())
        self._layout = layout._replace(bzero=0.0, bscale=1.0)
        return pixels.dtype, 0

    @property
    def cards(self) -> Mapping[str, Card]:
        """Header cards."""
        return self._layout.cards

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the area."""
        return self._area.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Unsigned 16-bit for such data as FITS stores it, the stored type for other plain integers, else float32."""
        if self._unsigned:
            return np.dtype(np.uint16)
        plain = self._layout.bscale == 1.0 and self._layout.bzero == 0.0
        if self._stored.kind in "ui" and plain:
            return self._stored.newbyteorder("=")
        return np.dtype(np.float32)

    @property
    def _unsigned(self) -> bool:
        return self._stored == np.dtype(">i2") and self._layout.bzero == 32768.0 and self._layout.bscale == 1.0

    def read(self, tile: Tile, out: NDArray[Any]) -> None:
        """Read a rectangle of the area into `out`, of `dtype` or float32; whole rows come from disk.

        Raises
        ------
        FrameError
            When the file vanished or became shorter.
        """
        rows = tile.y1 - tile.y0
        first = self._area.y0 + tile.y0
        raw = self._buffer(rows)
        self._fill(raw, self._start + first * self._row * self._stored.itemsize)
        part = raw[:, self._area.x0 + tile.x0 : self._area.x0 + tile.x1]
        if self._unsigned:
            # Stored as value - 32768: turning the sign bit gives the value, without leaving 16 bits.
            if out.dtype == np.uint16:
                out[...] = part.view(">u2")
                out ^= np.uint16(0x8000)
            else:
                out[...] = part
                out += out.dtype.type(32768)
        elif self._layout.bscale == 1.0 and self._layout.bzero == 0.0:
            out[...] = part
        else:
            out[...] = part * self._layout.bscale + self._layout.bzero

    def _buffer(self, rows: int) -> NDArray[Any]:
        """Return rows as stored, in memory that each thread uses again and again."""
        size = rows * self._row * self._stored.itemsize
        buffer: NDArray[np.uint8] | None = getattr(_buffers, "bytes", None)
        if buffer is None or buffer.size < size:
            buffer = _buffers.bytes = np.empty(size, np.uint8)
        return buffer[:size].view(self._stored).reshape(rows, self._row)

    def _fill(self, raw: NDArray[Any], position: int) -> None:
        wanted = raw.reshape(-1).view(np.uint8).data
        try:
            if self._file < 0:
                self._open()
            if self._file >= 0 and hasattr(os, "preadv"):
                read = os.preadv(self._file, [wanted], position)
            else:
                with self.path.open("rb") as stream:
                    stream.seek(position)
                    read = stream.readinto(wanted)
        except OSError as error:
            raise FrameError(self.path, f"it cannot be read ({error.strerror})", "Check the file.") from error
        if read != len(wanted):
            raise FrameError(self.path, _SHORTER, "It is being written or removed.")

    def _open(self) -> None:
        """Hold the file open, unless too many are."""
        with self._lock:
            if self._file < 0 and _open_files.acquire(blocking=False):
                self._held = True
                self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._held:
            self._held = False
            _open_files.release()
