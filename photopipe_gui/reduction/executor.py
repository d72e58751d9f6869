"""Where the work on frames runs: processes on this machine, this process, or a dask cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import UsageError
from .progress import Reporter, check_cancelled

#: Variables that keep the numerical libraries of a worker to one thread: the frames are the parallelism.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_POLL = 0.2


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that came out of one item; ``trace`` is for the log."""

    error: BaseException
    trace: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return the failure of an exception that was just caught."""
        return cls(error, "".join(traceback.format_exception(error)))


class Executor(Protocol):
    """Runs a function over items."""

    workers: int

    def imap(self, function: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter) -> Iterator[Any]:
        """Yield the results as they come; an exception comes as a `Failure`. Raises `Cancelled`."""

    def map(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        reporter: Reporter,
        on_done: Callable[[int, Any], None] | None = None,
    ) -> list[Any]:
        """Return the results in order; an exception comes as a `Failure`. Raises `Cancelled`."""

    def kill(self) -> None:
        """End the workers at once, whatever they do."""

    def close(self) -> None:
        """Let go of the workers."""


def _end_with_parent(parent: int) -> None:
    """Let a worker end when the program that started it is gone: killed, it cannot say so.

    Ctrl-C reaches a terminal's whole group of processes and is the program's to answer, not the worker's.
    """
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        os._exit(1)

    if hasattr(os, "getppid"):
        threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while workers are started: they inherit that and are left to finish their frames."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _guarded(function: Callable[[Any], Any], index: int, item: Any) -> tuple[int, Any]:
    try:
        return index, function(item)
    except Exception as error:
        return index, Failure.of(error)


class _Base(ABC):
    """What the kinds share: `map` on top of `_run`, which yields (index, result) as they come."""

    workers = 1

    @abstractmethod
    def _run(
        self, function: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter
    ) -> Iterator[tuple[int, Any]]:
        """Yield (index, result) as they come."""

    def imap(self, function: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter) -> Iterator[Any]:
        for _, result in self._run(function, items, reporter):
            yield result

    def map(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        reporter: Reporter,
        on_done: Callable[[int, Any], None] | None = None,
    ) -> list[Any]:
        results: list[Any] = [None] * len(items)
        for index, result in self._run(function, items, reporter):
            results[index] = result
            if on_done is not None:
                on_done(index, result)
        return results

    def kill(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the workers; there are none here."""
        return

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SerialExecutor(_Base):
    """Everything in this process, one after the other."""

    def _run(
        self, function: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter
    ) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(items):
            check_cancelled(reporter)
            yield _guarded(function, index, item)


class ProcessExecutor(_Base):
    """Worker processes, started at the first use and kept; they need no guarded main module and no Qt."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cpu_count()
        self._pool: Any = None

    def _start(self) -> Any:
        if self._pool is None:
            from loky import ProcessPoolExecutor

            self._pool = ProcessPoolExecutor(
                self.workers, timeout=300, env=_ONE_THREAD, initializer=_end_with_parent, initargs=(os.getpid(),)
            )
        return self._pool

    def _run(
        self, function: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter
    ) -> Iterator[tuple[int, Any]]:
        from concurrent.futures import FIRST_COMPLETED, wait

        waiting = iter(enumerate(items))
        running: dict[Any, int] = {}
        exhausted = False
        try:
            while running or not exhausted:
                # A few more than there are workers: nobody waits, and a stop leaves little to finish.
                while not exhausted and len(running) < 2 * self.workers:
                    following = next(waiting, None)
                    if following is None:
                        exhausted = True
                        break
                    index, item = following
                    pool = self._start()
                    with _interrupts_held():
                        running[pool.submit(_guarded, function, index, item)] = index
                check_cancelled(reporter)
                finished, _ = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield self._answer(future, running.pop(future))
        finally:
            for future in running:
                future.cancel()

    def _answer(self, future: Any, index: int) -> tuple[int, Any]:
        error = future.exception()
        if error is None:
            answer: tuple[int, Any] = future.result()
            return answer
        # The worker died (out of memory, killed): this item is lost, the next ones get a new pool.
        self._pool = None
        return index, Failure(RuntimeError(f"a worker process ended unexpectedly ({type(error).__name__})"))

    def kill(self) -> None:
        """End the workers at once; the next use starts new ones."""
        if self._pool is not None:
            with contextlib.suppress(Exception):
                self._pool.shutdown(wait=False, kill_workers=True)
            self._pool = None

    def close(self) -> None:
        """Wait for what runs and end the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None


class DaskExecutor(_Base):
    """Workers of a dask cluster, which must see the night under the same path."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise UsageError("--dask needs the package distributed: pip install 'photopipe_gui[dask]'.") from error
        try:
            self._client = Client(address, timeout=10, set_as_default=False)
        except Exception as error:
            raise UsageError(f"The dask scheduler {address} cannot be reached ({error}). Check the address.") from error
        self.workers = max(sum(self._client.nthreads().values()), 1)

    def _run(
        self, function: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter
    ) -> Iterator[tuple[int, Any]]:
        from distributed import as_completed

        futures = {
            self._client.submit(_guarded, function, index, item, pure=False): index for index, item in enumerate(items)
        }
        try:
            for future in as_completed(futures, loop=self._client.loop):
                check_cancelled(reporter)
                if future.status == "finished":
                    yield future.result()
                else:
                    yield futures[future], Failure(future.exception() or RuntimeError("cancelled by the cluster"))
        finally:
            self._client.cancel(list(futures))

    def close(self) -> None:
        """Leave the cluster; its workers stay."""
        self._client.close()


def cpu_count() -> int:
    """Return the number of processor cores this process may use."""
    try:
        return max(len(os.sched_getaffinity(0)), 1)
    except AttributeError:
        return max(os.cpu_count() or 1, 1)


def make_executor(kind: str = "processes", workers: int | None = None, address: str = "") -> Executor:
    """Return an executor.

    Parameters
    ----------
    kind : str
        ``processes``, ``serial`` or ``dask``.
    workers : int, optional
        Worker processes; all cores by default.
    address : str
        Of the dask scheduler.

    Raises
    ------
    UsageError
        For an unknown kind, or a scheduler that cannot be reached.
    """
    if kind == "dask" or address:
        return DaskExecutor(address)
    if kind == "serial":
        return SerialExecutor()
    if kind == "processes":
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}; it must be 1 or more.")
        return ProcessExecutor(workers)
    raise UsageError(f"There is no executor {kind!r}; there are processes, serial and dask.")
