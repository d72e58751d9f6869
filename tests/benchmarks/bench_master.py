"""Seconds and memory of a master bias, whole process, beside reading the same files and beside plain numpy.

    python tests/benchmarks/bench_master.py [--repeat 5] [--sizes 25x2048,100x2048,25x3072] [--folder DIR]

Every figure is of a process of its own, imports included, with the files in the page cache; the smallest of the
repeats is printed. The processors' seconds count on a machine that
others use too. ``siril-cli`` is measured where it is installed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OURS = """
import dataclasses, sys
from pathlib import Path
from photopipe_gui.instruments.rimas import RIMAS
from photopipe_gui.reduction.preprocess.master import MasterParams, make_masters
camera = dataclasses.replace(RIMAS.cameras[0], takes_bias=True)
whole = dataclasses.replace(RIMAS, cameras=(camera,))
frames = sorted(map(str, Path(sys.argv[1]).glob("*.fits")))
params = MasterParams(method=sys.argv[2])
result = make_masters(whole, {"C0": frames}, "bias", params, sys.argv[1] + "/masters", redo=True)[0]
assert result.n_used == len(frames), result.problem
"""

WHOLE_NUMPY = """
import sys
from pathlib import Path
import numpy as np
from astropy.io import fits
frames = sorted(Path(sys.argv[1]).glob("*.fits"))
stack = np.stack([fits.getdata(path) for path in frames])
fits.PrimaryHDU(np.median(stack, axis=0).astype(np.float32)).writeto(sys.argv[1] + "/numpy.fit", overwrite=True)
"""

STRIPS_NUMPY = """
import sys
from pathlib import Path
import numpy as np
from astropy.io import fits
paths = sorted(Path(sys.argv[1]).glob("*.fits"))
hdus = [fits.open(path, memmap=True, do_not_scale_image_data=True)[0] for path in paths]
planes = [hdu.data for hdu in hdus]
master = np.empty(planes[0].shape, np.float32)
for y in range(0, len(master), 32):
    strip = np.sort(np.stack([plane[y:y + 32] for plane in planes]).astype(np.int16), axis=0)
    half = len(planes) // 2
    below = strip[half if len(planes) % 2 else half - 1].astype(np.float32)
    master[y:y + 32] = (below + strip[half]) / 2 + 32768
fits.PrimaryHDU(master).writeto(sys.argv[1] + "/strips.fit", overwrite=True)
"""

SIRIL = """requires 1.0.0
convert bench -out={folder}/siril
cd {folder}/siril
stack bench {rejection} -nonorm -out=master
"""


def make_frames(folder: Path, number: int, side: int) -> None:
    """Write 16-bit frames of a bias with read noise, structure and a few cosmic rays."""
    import numpy as np
    from astropy.io import fits

    rng = np.random.default_rng(number * side)
    structure = rng.normal(1000, 3, (side, side))
    for i in range(number):
        image = structure + rng.normal(0, 5, (side, side))
        image[rng.integers(0, side, 200), rng.integers(0, side, 200)] += 2000
        header = fits.Header({"ASICINDX": 0, "EXPTIME": 0.0, "SATURATE": 65535, "GAIN0": 2.0, "FILTER1": "J"})
        fits.PrimaryHDU(image.astype(np.uint16), header).writeto(folder / f"20210505T{i:06d}C0b.fits")


def measure(command: list[str], repeat: int) -> tuple[float, float, float]:
    """Return the smallest seconds by the clock and of the processors, and the largest MB of a command."""
    seconds, busy, megabytes = [], [], []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(repeat):
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - begun)
        busy.append(usage.ru_utime + usage.ru_stime)
        megabytes.append(usage.ru_maxrss / 1024)
        if status:
            raise SystemExit(f"{' '.join(command)[:80]} failed:\n{errors.decode()}")
    return min(seconds), min(busy), max(megabytes)


def siril_command(folder: Path, rejection: str) -> list[str]:
    """Return the command that stacks the frames with Siril."""
    script = folder / f"{rejection.split()[0]}{len(rejection)}.ssf"
    script.write_text(SIRIL.format(folder=folder, rejection=rejection))
    return ["siril-cli", "-d", str(folder), "-s", str(script)]


def run(number: int, side: int, repeat: int, parent: str | None) -> None:
    """Measure one number and size of frames."""
    folder = Path(tempfile.mkdtemp(prefix="bench_master_", dir=parent))
    try:
        # In a process of its own: the memory of a child counts from that of its parent.
        making = multiprocessing.get_context("spawn").Process(target=make_frames, args=(folder, number, side))
        making.start()
        making.join()
        files = sorted(map(str, folder.glob("*.fits")))
        python = sys.executable
        rows = [("cat > /dev/null", ["sh", "-c", 'cat "$@" > /dev/null', "cat", *files])]
        rows += [(f"ours, {name}", [python, "-c", OURS, str(folder), name]) for name in ("median", "clip", "winsor")]
        rows.append(("numpy, strips sorted", [python, "-c", STRIPS_NUMPY, str(folder)]))
        if number * side * side * 10 < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"):
            rows.append(("numpy, whole stack", [python, "-c", WHOLE_NUMPY, str(folder)]))
        if shutil.which("siril-cli"):
            for name, how in (("median", "med"), ("clip", "rej s 3 3"), ("winsor", "rej w 3 3")):
                rows.append((f"siril, {name}", siril_command(folder, how)))
        print(f"\n{number} frames of {side} x {side}, 16 bit: seconds by the clock, of the processors, memory")
        for name, command in rows:
            seconds, busy, megabytes = measure(command, repeat if "numpy, whole" not in name else 1)
            print(f"  {name:24s} {seconds:7.2f} s {busy:7.2f} s {megabytes:7.0f} MB", flush=True)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sizes", default="25x2048,100x2048,25x3072", help="number x side, comma between")
    parser.add_argument("--folder", default=None, help="where the frames are written for the time of the run")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for size in options.sizes.split(","):
        number, side = size.lower().split("x")
        run(int(number), int(side), options.repeat, options.folder)


if __name__ == "__main__":
    main()
