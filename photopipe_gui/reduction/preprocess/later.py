"""One call in a thread of its own, its result fetched later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """Start a call now; `result` waits for it and gives its result, or raises what it raised."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # raised again where the result is asked for
            self._errors.append(error)

    def result(self) -> T:
        """Return the result of the call."""
        self._thread.join()
        if self._errors:
            raise self._errors[0]
        return self._results[0]
