"""Work off the screen: outcomes, progress, stop, kill, reading."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from PyQt6.QtCore import QThread
from pytestqt.qtbot import QtBot

from photopipe_gui.errors import Cancelled, FrameError
from photopipe_gui.gui.jobs import JobOutcome, JobRunner
from photopipe_gui.gui.reader import Reader
from photopipe_gui.reduction.progress import Progress, Reporter, check_cancelled


@pytest.fixture
def runner(qtbot: QtBot) -> JobRunner:
    made = JobRunner()
    yield made
    made.close()


def finish(qtbot: QtBot, runner: JobRunner, function: object, kill: object = None) -> JobOutcome:
    with qtbot.waitSignal(runner.finished, timeout=5000) as caught:
        assert runner.start("a job", function, kill)
    return caught.args[0]


def test_results_and_messages_come_in_order_before_the_end(qtbot: QtBot, runner: JobRunner) -> None:
    heard: list[object] = []
    runner.result.connect(heard.append)
    runner.message.connect(lambda text, level: heard.append((text, level)))
    runner.finished.connect(lambda outcome: heard.append(outcome.state))

    def job(reporter: Reporter) -> int:
        for number in range(150):
            reporter.result(number)
        reporter.message("half", "warning")
        return 42

    outcome = finish(qtbot, runner, job)
    assert heard == [*range(150), ("half", "warning"), "done"]
    assert outcome.ok and outcome.value == 42 and not runner.busy


def test_results_arrive_on_the_ui_thread_and_the_job_runs_on_another(qtbot: QtBot, runner: JobRunner) -> None:
    threads: list[object] = []
    runner.result.connect(lambda _: threads.append(QThread.currentThread()))

    def job(reporter: Reporter) -> int:
        reporter.result("x")
        return threading.get_ident()

    outcome = finish(qtbot, runner, job)
    assert threads == [runner.thread()]
    assert outcome.value != threading.get_ident()


def test_any_exception_becomes_an_outcome(qtbot: QtBot, runner: JobRunner) -> None:
    def job(reporter: Reporter) -> None:
        raise SystemExit(3)

    outcome = finish(qtbot, runner, job)
    assert outcome.state == "failed" and isinstance(outcome.error, SystemExit)
    assert "SystemExit" in outcome.details


def test_stop_cancels_and_the_second_stop_kills(qtbot: QtBot, runner: JobRunner) -> None:
    killed = threading.Event()

    def job(reporter: Reporter) -> None:
        assert killed.wait(5)
        check_cancelled(reporter)

    runner.start("a job", job, killed.set)
    runner.stop()
    assert runner.stopping and runner.can_kill and not killed.is_set()
    with qtbot.waitSignal(runner.finished, timeout=5000) as caught:
        runner.stop()
    assert caught.args[0].state == "cancelled"
    assert not runner.stopping


def test_an_error_after_stop_counts_as_stopped(qtbot: QtBot, runner: JobRunner) -> None:
    def job(reporter: Reporter) -> None:
        while not reporter.cancelled():
            time.sleep(0.005)
        raise OSError("the workers are gone")

    runner.start("a job", job)
    with qtbot.waitSignal(runner.finished, timeout=5000) as caught:
        runner.stop()
    assert caught.args[0].state == "cancelled"


def test_one_job_at_a_time(qtbot: QtBot, runner: JobRunner) -> None:
    go_on = threading.Event()
    assert runner.start("first", lambda reporter: go_on.wait(5))
    assert not runner.start("second", lambda reporter: None)
    with qtbot.waitSignal(runner.finished, timeout=5000) as caught:
        go_on.set()
    assert caught.args[0].name == "first"


def test_a_flood_of_progress_reaches_the_screen_at_most_20_times_a_second(qtbot: QtBot, runner: JobRunner) -> None:
    seen: list[Progress] = []
    runner.progressed.connect(seen.append)

    def job(reporter: Reporter) -> None:
        end, number = time.monotonic() + 0.5, 0
        while time.monotonic() < end:
            number += 1
            reporter.progress(Progress("measuring", number, 10**9))
            time.sleep(0.0002)

    finish(qtbot, runner, job)
    assert 3 <= len(seen) <= 13
    assert [event.done for event in seen] == sorted(event.done for event in seen)


def test_closing_ends_a_job_that_listens(qtbot: QtBot) -> None:
    runner = JobRunner()

    def job(reporter: Reporter) -> None:
        while not reporter.cancelled():
            time.sleep(0.005)
        raise Cancelled("stopped")

    runner.start("a job", job)
    assert runner.close(3000)
    assert not runner.busy


# ------------------------------------------------------------------ reading


@pytest.fixture
def reader(qtbot: QtBot) -> Reader:
    made = Reader(capacity=3_000_000)
    yield made
    made.close()


def test_an_answer_is_read_once_and_then_at_hand(qtbot: QtBot, reader: Reader) -> None:
    calls: list[int] = []

    def read() -> np.ndarray:
        calls.append(1)
        return np.ones(10)

    with qtbot.waitSignal(reader.ready, timeout=2000) as caught:
        reader.request("a", read)
    assert caught.args[0] == "a" and caught.args[1].sum() == 10
    with qtbot.waitSignal(reader.ready, timeout=2000):
        reader.request("a", read)
    assert len(calls) == 1


def test_a_failure_is_told_in_words_and_not_kept(qtbot: QtBot, reader: Reader) -> None:
    def read() -> None:
        raise FrameError("x.fits", "it is empty", "Copy it again.")

    for _ in range(2):
        with qtbot.waitSignal(reader.failed, timeout=2000) as caught:
            reader.request("a", read)
        assert caught.args == ["a", "x.fits: it is empty. Copy it again."]


def test_the_newest_request_comes_first(qtbot: QtBot, reader: Reader) -> None:
    gate, order = threading.Event(), []
    for number in range(2):
        reader.request(f"busy{number}", lambda: gate.wait(5))
    qtbot.waitUntil(lambda: len(reader._active) == 2, timeout=2000)
    for name in "abc":
        reader.request(name, lambda name=name: order.append(name))
    reader.request("ahead", lambda: order.append("ahead"), ahead=True)
    gate.set()
    qtbot.waitUntil(lambda: len(order) == 4, timeout=2000)
    assert order[0] == "c" and order[-1] == "ahead"


def test_reading_ahead_says_nothing_until_it_is_wanted(qtbot: QtBot, reader: Reader) -> None:
    said: list[object] = []
    reader.ready.connect(lambda key, value: said.append(key))
    reader.request("a", lambda: np.ones(3), ahead=True)
    qtbot.waitUntil(lambda: reader.peek("a") is not None, timeout=2000)
    assert said == []
    reader.request("a", lambda: np.ones(3))
    assert said == ["a"]


def test_the_cache_stays_within_its_size(qtbot: QtBot, reader: Reader) -> None:
    for number in range(6):
        with qtbot.waitSignal(reader.ready, timeout=2000):
            reader.request(number, lambda: np.zeros(1_000_000, np.uint8))
    kept = [number for number in range(6) if reader.peek(number) is not None]
    assert kept == [3, 4, 5]
