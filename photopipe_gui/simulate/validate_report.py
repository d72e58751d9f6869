"""The report of a validation: one page that needs nothing else, a table for machines, and every number."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..reduction.fitsio import write_text
from .scenarios import SCENARIOS
from .validate import CaseResult, machine
from .validate_figures import Figure, pull
from .validate_plots import Points, strip_plot

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6878; --line: #d5dae1; --page: #ffffff; --good: #1b7f4b;
 --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --soft: #9aa6b4; --line: #39424e; --page: #14181d;
 --good: #5cc98f; --bad: #ff8a80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 68rem;
 margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: 0.8rem 0; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; } .soft, caption { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
code { font-size: 0.9em; } svg { max-width: 100%; height: auto; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; }
"""


def number(value: float) -> str:
    """Return a number with four digits; a dash when there is none."""
    return f"{value:.4g}" if math.isfinite(value) else "-"


def _verdict(figure: Figure) -> str:
    if not figure.measured and figure.met:
        return '<span class="soft">not measured</span>'
    return '<span class="good">reached</span>' if figure.met else '<span class="bad">short</span>'


def _figure_table(result: CaseResult) -> str:
    head = "<tr><th>topic</th><th>figure</th><th class=number>asked</th><th class=number>reached</th><th></th>"
    head += "<th>from</th></tr>"
    rows = []
    for one in result.figures:
        asked = f"{'&ge;' if one.least else '&le;'} {one.asked:g} {escape(one.unit)}"
        cells = (
            f"<td>{escape(one.topic)}</td><td>{escape(one.name)}</td><td class=number>{asked}</td>",
            f"<td class=number>{number(one.reached)}</td><td>{_verdict(one)}</td>",
            f"<td class=soft>{escape(one.sample)}</td>",
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{head}{''.join(rows)}</table>"


def _by_filter(pairs: Sequence[tuple[str, float]]) -> list[Points]:
    names = sorted({name for name, _ in pairs})
    return [Points(name, tuple(value for other, value in pairs if other == name)) for name in names]


def _plots(result: CaseResult) -> str:
    score = result.score
    masters = min((figure.asked for figure in result.figures if figure.topic == "masters"), default=None)
    plots = [
        strip_plot("Error of the WCS (px), each frame", _by_filter([(s.filter, s.median) for s in score.astrometry]),
                   limit=0.03, zero=True),
        strip_plot("Error of the zero point (mag), each frame",
                   _by_filter([(s.filter, s.error) for s in score.zero_points]), limit=0.005, both=True),
        strip_plot("Zero points: error over stated error",
                   _by_filter([(s.filter, pull(s)) for s in score.zero_points]), limit=2.0, both=True),
        strip_plot("Cosmic rays: share of hits found", _by_filter([(s.filter, s.completeness) for s in score.cosmics]),
                   limit=0.95),
        strip_plot("Sky residual on 32 px (sky noise)", _by_filter([(s.filter, s.residual) for s in result.sky]),
                   limit=0.2, zero=True),
        strip_plot("Masters: error over the best", [Points(m.kind + " " + m.key, (m.ratio,)) for m in score.masters],
                   limit=masters, zero=True),
    ]  # fmt: skip
    return f'<div class="plots">{"".join(plot for plot in plots if plot)}</div>'


def _seconds_table(results: Sequence[CaseResult]) -> str:
    names = list(dict.fromkeys(name for one in results for name in one.seconds))
    head = "".join(f"<th class=number>{escape(name)}</th>" for name in names)
    rows = []
    for one in results:
        cells = "".join(
            f"<td class=number>{one.seconds[name]:.1f}</td>" if name in one.seconds else "<td class=number>-</td>"
            for name in names
        )
        rows.append(f"<tr><td>{escape(one.case.name)} ({one.frames} frames)</td>{cells}</tr>")
    return f"<table><tr><th>night</th>{head}</tr>{''.join(rows)}</table>"


def _case_section(result: CaseResult) -> str:
    lost = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.lost)
    short = sum(not figure.met for figure in result.figures)
    verdict = "every figure reached" if not short else f"{short} figures short"
    return (
        f"<h2>{escape(result.case.name)}</h2><p>{escape(SCENARIOS[result.case.scenario].about)}; {verdict}.<br>"
        f"<code>{escape(result.case.command)}</code></p>{_figure_table(result)}{_plots(result)}"
        + (f"<p>Lost:</p><ul>{lost}</ul>" if lost else "")
    )


def page(results: Sequence[CaseResult]) -> str:
    """Return the page: summary, times, and a section for each night."""
    total = sum(len(one.figures) for one in results)
    met = sum(figure.met for one in results for figure in one.figures)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Validation</title>'
        f"<style>{_STYLE}</style></head><body><h1>Validation on simulated nights</h1>"
        f"<p>{met} of {total} figures reached. {date}. {escape(machine())}.</p>"
        f"<h2>Seconds</h2>{_seconds_table(results)}{''.join(_case_section(one) for one in results)}</body></html>\n"
    )


def figures_csv(results: Sequence[CaseResult]) -> str:
    """Return the figures as CSV, one a line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["instrument", "scenario", "seed", "quick", "topic", "figure", "sign", "asked", "reached", "unit",
                     "met", "from", "command"])  # fmt: skip
    for one in results:
        for figure in one.figures:
            writer.writerow([one.case.instrument, one.case.scenario, one.case.seed, one.case.quick, figure.topic,
                             figure.name, figure.sign, figure.asked, number(figure.reached), figure.unit,
                             figure.met, figure.sample, one.case.command])  # fmt: skip
    return stream.getvalue()


def _plain(value: Any) -> Any:
    """Turn numbers that JSON does not know into null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_report(folder: Path, results: Sequence[CaseResult]) -> Path:
    """Write ``validation.html``, ``figures.csv`` and ``validation.json``; return the page."""
    write_text(folder / "figures.csv", figures_csv(results))
    content = {"machine": machine(), "cases": [one.as_json() for one in results]}
    write_text(folder / "validation.json", json.dumps(_plain(content), indent=1) + "\n")
    path = folder / "validation.html"
    write_text(path, page(results))
    return path
