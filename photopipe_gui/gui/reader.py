"""Reads files for the screen in a few threads: newest request first, neighbours ahead of time, answers cached."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from PyQt6.QtCore import QObject, QRunnable, QThreadPool, pyqtSignal

from ..errors import PhotopipeError

THREADS = 2
#: Memory for images kept at hand: some 30 frames of 2048 x 2048 as uint16.
CACHE_BYTES = 256 * 1024**2


def size_of(value: Any) -> int:
    """Bytes of the arrays in a value (an array, or a tuple or dataclass-like object of arrays)."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, (tuple, list)):
        return sum(size_of(item) for item in value)
    nbytes = getattr(value, "nbytes", None)
    return int(nbytes) if isinstance(nbytes, int) else 200


class _Request(QRunnable):
    """One wake-up of a pool thread: takes the most urgent request that waits."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def run(self) -> None:
        self._reader._work()


class Reader(QObject):
    """A small pool of reading threads with a cache.

    Signals
    -------
    ready(key, value)
        The answer; ``value`` is what the function returned.
    failed(key, str)
        The reason in words.
    """

    ready = pyqtSignal(object, object)
    failed = pyqtSignal(object, str)
    _done = pyqtSignal(object, object, object)

    def __init__(self, parent: QObject | None = None, capacity: int = CACHE_BYTES) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(THREADS)
        self._capacity = capacity
        self._cache: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Hashable, Callable[[], Any]] = OrderedDict()
        self._wanted: set[Hashable] = set()
        self._active: set[Hashable] = set()
        self._closed = False
        self._done.connect(self._finish)

    def peek(self, key: Hashable) -> Any | None:
        """Return the cached answer, or None."""
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        return None

    def request(self, key: Hashable, function: Callable[[], Any], ahead: bool = False) -> None:
        """Ask for an answer; `ready` or `failed` comes later (also when it is cached, unless ``ahead``).

        Parameters
        ----------
        key : hashable
            Names the answer.
        function : callable
            Called without arguments in a reading thread; must not touch Qt.
        ahead : bool
            Only fill the cache; comes after everything that is wanted now, and says nothing.
        """
        if self._closed:
            return
        if not ahead:
            self._wanted.add(key)
        if key in self._cache:
            if not ahead:
                self._done.emit(key, self._cache[key], None)
            return
        with self._lock:
            if key in self._active:
                return
            known = key in self._waiting
            self._waiting[key] = function
            # The end of the dictionary is served first.
            self._waiting.move_to_end(key, last=not ahead)
        if not known:
            self._pool.start(_Request(self))

    def forget_waiting(self) -> None:
        """Drop what nobody has begun to read: the observer moved on."""
        with self._lock:
            self._waiting.clear()

    def clear(self) -> None:
        """Empty the cache: another night, or files changed."""
        self.forget_waiting()
        self._wanted.clear()
        self._cache.clear()
        self._bytes = 0

    def close(self) -> None:
        """Wait for what is being read, answer nothing more."""
        self._closed = True
        self.forget_waiting()
        self._pool.waitForDone(10000)

    def _work(self) -> None:
        """In a reading thread: serve the most urgent request."""
        with self._lock:
            if not self._waiting:
                return
            key, function = self._waiting.popitem(last=True)
            self._active.add(key)
        value, error = None, None
        try:
            value = function()
        except PhotopipeError as caught:
            error = str(caught)
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
        with self._lock:
            self._active.discard(key)
        self._done.emit(key, value, error)

    def _finish(self, key: Hashable, value: Any, error: str | None) -> None:
        """On the UI thread: keep the answer and pass it on if it was asked for."""
        if self._closed:
            return
        if error is None and key not in self._cache:
            self._cache[key] = value
            self._bytes += size_of(value)
            while self._bytes > self._capacity and len(self._cache) > 1:
                _, dropped = self._cache.popitem(last=False)
                self._bytes -= size_of(dropped)
        if key in self._wanted:
            self._wanted.discard(key)
            if error is None:
                self.ready.emit(key, value)
            else:
                self.failed.emit(key, error)
