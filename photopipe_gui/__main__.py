"""``python -m photopipe_gui``, the window's own entry, and the start of a frozen application."""

from __future__ import annotations

import os
import runpy
import sys

_WORKER_MODULES = ("loky.backend.popen_loky_posix", "loky.backend.resource_tracker", "multiprocessing.resource_tracker")


def _run_worker() -> bool:
    """Be a worker process when a frozen application was started again as one; return whether it was.

    Worker processes are started as ``executable -m module ...`` or ``executable -c code``. In a frozen application
    the executable is the application itself, not Python, so it has to do what Python would.
    """
    args = [arg for arg in sys.argv[1:] if not (arg.startswith("-") and arg not in ("-m", "-c"))]
    if not getattr(sys, "frozen", False) or len(args) < 2:
        return False
    if args[0] == "-m" and args[1].startswith(("loky.", "multiprocessing.", "joblib.")):
        sys.argv = [args[1], *sys.argv[sys.argv.index(args[1]) + 1 :]]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
        return True
    if args[0] == "-c" and args[1].startswith(("from multiprocessing", "from loky", "from joblib")):
        # The code comes from the multiprocessing package of this very program, through its own command line.
        sys.argv = ["-c", *args[2:]]
        exec(compile(args[1], "<worker>", "exec"), {"__name__": "__main__"})
        return True
    return False


def main() -> int:
    """Run the command line."""
    if _run_worker():
        return 0
    import multiprocessing

    multiprocessing.freeze_support()
    from .cli import main as command_line

    return command_line()


def window() -> int:
    """Open the window: the entry of the desktop's menu, which has no terminal to print to."""
    if _run_worker():
        return 0
    import multiprocessing

    multiprocessing.freeze_support()
    from .cli import main as command_line

    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    return command_line(["window", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
