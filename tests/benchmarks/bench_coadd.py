"""How fast and how exactly frames are resampled and combined, next to the alternatives.

    python tests/benchmarks/bench_coadd.py [--frames 9] [--size 2048]

Compares this engine's kernels, `reproject`, `drizzle` (when installed) and SWarp (Debian package ``swarp``, when
installed; for comparison only). Prints two tables: quality on star fields of known truth, and seconds.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "reduction"))

import numpy as np
import sep
from astropy.io import fits
from starfield import add_stars, make_wcs

from photopipe_gui.reduction.core import coadd, grid, pixelmap, resample
from photopipe_gui.reduction.core.reject import Layer, Rejection


def width(image, x, y):
    """Median FWHM of stars from their second moments within 2 px of the half-light, by a Gaussian fit of the log."""
    found = []
    for xs, ys in zip(x, y, strict=True):
        xi, yi = round(xs), round(ys)
        cut = image[yi - 6 : yi + 7, xi - 6 : xi + 7].astype(float)
        gy, gx = np.mgrid[-6:7, -6:7]
        r2 = (gx + xi - xs) ** 2 + (gy + yi - ys) ** 2
        core = cut > 0.25 * cut.max()
        slope = np.polyfit(r2[core], np.log(cut[core]), 1, w=cut[core])[0]
        found.append(2.3548 * np.sqrt(-0.5 / slope))
    return float(np.median(found))


def ours(kernel):
    """Return a resampler with one of our kernels."""

    def run(image, wcs, target):
        pixels = pixelmap.pixel_map(target, wcs, image.shape)
        placed = resample.resample(image, np.zeros(image.shape, np.uint8), pixels, kernel=kernel)
        out = np.full(target.shape, np.nan, np.float32)
        at = np.s_[placed.y0 : placed.y0 + placed.image.shape[0], placed.x0 : placed.x0 + placed.image.shape[1]]
        out[at] = np.where(placed.flags == 0, placed.image, np.nan)
        return out

    return run


def reprojected(function, **options):
    """Return a resampler from the package reproject; surface brightness made flux by the ratio of the pixel areas."""

    def run(image, wcs, target):
        ratio = (target.scale / grid.pixel_scale(wcs, image.shape)) ** 2
        return function((image, wcs), target.wcs(), shape_out=target.shape, **options)[0] * ratio

    return run


def drizzled(kernel, pixfrac):
    """Return a resampler from the package drizzle."""
    from drizzle.resample import Drizzle
    from drizzle.utils import calc_pixmap

    def run(image, wcs, target):
        ratio = (target.scale / grid.pixel_scale(wcs, image.shape)) ** 2
        from_wcs, to_wcs = wcs.deepcopy(), target.wcs()
        from_wcs.pixel_shape, to_wcs.pixel_shape = image.shape[::-1], target.shape[::-1]
        driz = Drizzle(kernel=kernel, out_shape=target.shape, fillval="NaN")
        driz.add_image(image, exptime=1.0, pixmap=calc_pixmap(from_wcs, to_wcs), pixfrac=pixfrac)
        return driz.out_img * ratio

    return run


def methods():
    """Return the resamplers that are there, by name."""
    found = {f"ours {name}": ours(name) for name in resample.KERNELS}
    try:
        import reproject

        found["reproject interp bilinear"] = reprojected(reproject.reproject_interp, order="bilinear")
        found["reproject interp bicubic"] = reprojected(reproject.reproject_interp, order="bicubic")
        found["reproject adaptive gaussian"] = reprojected(reproject.reproject_adaptive, kernel="gaussian")
        found["reproject exact"] = reprojected(reproject.reproject_exact)
    except ImportError:
        print("reproject is not installed: left out")
    try:
        found["drizzle square 1.0"] = drizzled("square", 1.0)
        found["drizzle square 0.7"] = drizzled("square", 0.7)
        found["drizzle lanczos3"] = drizzled("lanczos3", 1.0)
    except ImportError:
        print("drizzle is not installed: left out")
    return found


def quality(run, fwhm, scale, rng):
    """Return rms flux error, FWHM growth, and noise of 12 px boxes over what it was, at random phases."""
    shape = (500, 500)
    x, y = (p.ravel() for p in np.meshgrid(np.arange(40, 470, 55), np.arange(40, 470, 55)))
    x, y = x + rng.uniform(0, 1, x.size), y + rng.uniform(0, 1, x.size)
    image = add_stars(np.zeros(shape), x, y, 1e5, fwhm).astype(np.float32)
    wcs = make_wcs(shape, 0.3, 0.4, 0.4)
    target = grid.output_grid([(wcs, shape)], scale * 0.4 / 3600)
    out = np.nan_to_num(run(image, wcs, target)).astype(np.float32)
    gx, gy = target.pixels(*wcs.all_pix2world(x, y, 0))
    radius = 5 * fwhm
    flux = sep.sum_circle(out, gx, gy, radius / scale, subpix=0)[0] / sep.sum_circle(image, x, y, radius, subpix=0)[0]
    growth = width(out, gx, gy) * scale / width(image, x, y)
    noise = rng.normal(0, 1, shape).astype(np.float32)
    spread = run(noise, wcs, target)[40:460, 40:460]
    return np.sqrt(np.mean((flux - 1) ** 2)), growth - 1, boxed(spread) / boxed(noise[40:460, 40:460]), np.std(spread)


def boxed(noise):
    """Return the standard deviation of sums over 12 x 12 px."""
    return np.std(noise[: 35 * 12, : 35 * 12].reshape(35, 12, -1, 12).sum(axis=(1, 3)))


def table_of_quality():
    """Print what each resampler does to flux, width and noise."""
    heads = ("flux rms", "(scale 1.05)", "FWHM +%", "(2.2 px)", "box noise", "pixel")
    print(" " * 30, "{:>9s} {:>12s} {:>8s} {:>8s} {:>9s} {:>6s}".format(*heads))
    for name, run in methods().items():
        rng = np.random.default_rng(1)
        same, coarse, sharp = (quality(run, f, s, rng) for f, s in ((3.0, 1.0), (3.0, 1.05), (2.2, 1.0)))
        print(f"{name:30s} {same[0]:9.5f} {coarse[0]:12.5f} {100 * same[1]:8.2f} {100 * sharp[1]:8.2f} "
              f"{same[2]:9.3f} {same[3]:6.3f}")


def make_frames(folder, n, size):
    """Write n dithered, slightly rotated frames; return paths, images and WCS."""
    rng = np.random.default_rng(2)
    made = []
    for k in range(n):
        image = rng.normal(0, 10, (size, size)).astype(np.float32)
        wcs = make_wcs(image.shape, *rng.uniform(-40, 40, 2), rng.uniform(-0.3, 0.3))
        path = folder / f"frame{k}.fits"
        fits.PrimaryHDU(image, wcs.to_header()).writeto(path)
        made.append((path, image, wcs))
    return made


def used():
    """Return wall-clock seconds and processor seconds, children included."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def timed(label, function, *arguments):
    """Call and print how long it took."""
    wall, processor = used()
    function(*arguments)
    done = used()
    print(f"{label:44s} {done[0] - wall:8.2f} s, {done[1] - processor:8.2f} s of processor time", flush=True)


def table_of_times(n, size):
    """Print seconds for resampling a frame, and for whole coadds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = make_frames(folder, n, size)
        target = grid.output_grid([(wcs, image.shape) for _, image, wcs in frames])
        print(f"one frame of {size} x {size}, one core")
        for method, run in methods().items():
            timed(f"  {method}", run, frames[0][1], frames[0][2], target)
        print(f"{n} frames of {size} x {size}")
        for kernel in ("spline3", "spline5"):
            timed(f"  our kernels in memory, one core, {kernel}", in_memory, frames, target, kernel)
            for workers in (1, 2):
                timed(f"  our stack from files to files, {workers} worker(s)",
                      whole_step, folder, frames, workers, kernel)
        swarp(folder, [path for path, _, _ in frames])


def in_memory(frames, target, kernel=resample.DEFAULT_KERNEL):
    """Resample and combine without files."""
    sources, layers = [], []
    for _, image, wcs in frames:
        pixels = pixelmap.pixel_map(target, wcs, image.shape)
        placed = resample.resample(image, np.zeros(image.shape, np.uint8), pixels, kernel=kernel)
        sources.append(coadd.InMemory(placed))
        noise = coadd.sky_noise(image, np.ones(image.shape, bool))
        layers.append(Layer(noise, float(placed.variance.mean()), fwhm=3.0))
    return coadd.combine(sources, layers, target.shape, Rejection())


def whole_step(folder, frames, workers, kernel=resample.DEFAULT_KERNEL):
    """Run the stack's own jobs from files to files, without the measurement of the coadd."""
    from concurrent.futures import ProcessPoolExecutor

    from photopipe_gui.reduction.auto.steps import stack_jobs

    scratch = folder / f"scratch{workers}{kernel}"
    scratch.mkdir()
    target = grid.output_grid([(wcs, image.shape) for _, image, wcs in frames])
    with ProcessPoolExecutor(workers) as pool:
        facts = [stack_jobs.Facts(path, fits.getheader(path).tostring(), image.shape, 1.0, True, 0, "", 4.0)
                 for path, image, _ in frames]
        jobs = [stack_jobs.PlaceJob(f, target, scratch, kernel) for f in facts]
        placed = tuple(pool.map(stack_jobs.place, jobs))
        planes = stack_jobs.Planes(*(scratch / p for p in ("v", "w", "c", "m")), target.shape)
        planes.create()
        rows = target.shape[0]
        step = coadd.rows_within(128 << 20, len(placed), target.shape[1])
        block = -(-rows // (4 * workers))
        strips = [stack_jobs.StripJob(placed, planes, Rejection(), y, min(y + block, rows), step)
                  for y in range(0, rows, block)]
        list(pool.map(stack_jobs.combine_strip, strips))
        planes.read()


def swarp(folder, paths):
    """Time SWarp on the same files."""
    program = shutil.which("SWarp") or shutil.which("swarp")
    if program is None:
        print("SWarp is not installed (Debian package swarp): left out")
        return
    for threads in (1, 2):
        command = [program, *map(str, paths), "-IMAGEOUT_NAME", "swarp.fits", "-WEIGHTOUT_NAME", "swarp.weight.fits",
                   "-SUBTRACT_BACK", "N", "-RESAMPLING_TYPE", "LANCZOS3", "-COMBINE_TYPE", "CLIPPED",
                   "-NTHREADS", str(threads), "-VERBOSE_TYPE", "QUIET", "-WRITE_XML", "N"]
        timed(f"  SWarp, Lanczos3, clipped mean, {threads} thread(s)",
              lambda line: subprocess.run(line, cwd=folder, check=True), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--size", type=int, default=2048)
    options = parser.parse_args()
    table_of_quality()
    print()
    table_of_times(options.frames, options.size)
