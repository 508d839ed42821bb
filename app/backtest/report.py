"""A backtest as one page without script: the charts, the figures, how to read them."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from app.backtest.compare import Figures
from app.backtest.run import VISIBLE, Result
from app.backtest.words import rows

_WIDE, _HIGH = 680, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 48

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2430; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
svg { width: 100%; min-width: 34rem; height: auto; } figure { margin: 0; overflow-x: auto; }
figcaption, .quiet { color: #55606e; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #dfe4ea; }
td + td, th + th { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) { td:first-child { white-space: normal; display: block; border: 0;
  padding-bottom: 0; } th:first-child { display: none; } tr { display: grid;
  grid-template-columns: 1fr 1fr; } td:first-child { grid-column: 1 / 3; }
  td + td, th + th { text-align: left; } }
"""


def page(result: Result) -> str:
    """The whole HTML page."""
    request = result.request
    what = f"{VISIBLE[request.transactions]} visible, {request.history_days} days of history"
    figures = "".join(
        f"<tr><td>{escape(label)}</td><td>{escape(figure)}</td><td>{escape(span)}</td></tr>"
        for label, figure, span in rows(result)
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Backtest: {escape(request.policy)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><h1>Backtest of the policy {escape(request.policy)}</h1>
<p>{result.accounts:,} accounts, {result.windows:,} times that money was there; {escape(what)}.</p>
<h2>Days until seen</h2>{_chart(result, "Days until seen, mean", lambda one: one.delay)}
<h2>Windows missed</h2>{_chart(result, "Windows missed, %", lambda one: 100 - 100 * one.coverage)}
<h2>Figures</h2><table><thead><tr><th>What</th><th>Figure</th><th>95 % interval</th></tr></thead>
<tbody>{figures}</tbody></table>
<p class="quiet">What is due in windows seen is an upper bound of what could have been collected: it
takes each of them as paid. Intervals come from {request.resamples:,} draws of whole accounts, seed
{request.seed}.</p></body></html>
"""


def _chart(result: Result, label: str, up: Callable[[Figures], float]) -> str:
    """`up` over reads per window seen (logarithmic): the fixed schedules as a line, the policy."""
    points = [(figures.reads, up(figures), name) for name, figures in result.curve]
    mine = (result.figures.reads, up(result.figures))
    shown = [point[:2] for point in points] + [mine]
    low = math.log(min(reads for reads, _ in shown))
    span = max(math.log(max(reads for reads, _ in shown)) - low, 0.1)
    top = max(0.01, *(value for _, value in shown)) * 1.05

    def x(reads: float) -> float:
        return _LEFT + (math.log(reads) - low) / span * (_WIDE - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HIGH - _BOTTOM - value / top * (_HIGH - _TOP - _BOTTOM)

    line = " ".join(f"{x(reads):.1f},{y(value):.1f}" for reads, value, _ in points)
    dots = "".join(
        f'<circle cx="{x(reads):.1f}" cy="{y(value):.1f}" r="3" fill="#6b7785">'
        f"<title>{escape(name)}: {reads:.2f} reads, {value:.2f}</title></circle>"
        for reads, value, name in points
    )
    at_x, at_y = x(mine[0]), y(mine[1])
    # Below the line, to the left of the point, nothing else is drawn.
    anchor, beside = ("end", at_x - 10) if at_x > _WIDE * 0.3 else ("start", at_x + 10)
    name = escape(result.request.policy)
    return (
        f'<figure><svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{escape(label)} over '
        f'reads per window seen" font-size="12">{_axes(x, y, low, span, top)}'
        f'<polyline points="{line}" fill="none" stroke="#6b7785" stroke-width="1.5"/>{dots}'
        f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="6" fill="#0b5fb0"/>'
        f'<text x="{beside:.1f}" y="{at_y + 4:.1f}" text-anchor="{anchor}" fill="#0b5fb0" '
        f'font-weight="bold">{name}: {mine[0]:.2f} reads, {mine[1]:.2f}</text></svg>'
        f"<figcaption>{escape(label)} (upwards) over reads per window seen. The line is even "
        f"spacing, from {escape(points[0][2])} to {escape(points[-1][2])}; below it is better."
        "</figcaption></figure>"
    )


def _axes(
    x: Callable[[float], float], y: Callable[[float], float], low: float, span: float, top: float
) -> str:
    steps = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
    across = [reads for reads in steps if low - 1e-9 <= math.log(reads) <= low + span + 1e-9]
    upward = [top * part / 4 for part in range(5)]
    marks = "".join(
        f'<text x="{x(reads):.1f}" y="{_HIGH - _BOTTOM + 18}" text-anchor="middle">{reads:g}</text>'
        for reads in across
    )
    lines = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
        f'stroke="#dfe4ea"/><text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">'
        f"{value:.1f}</text>"
        for value in upward
    )
    middle = (_LEFT + _WIDE - _RIGHT) / 2
    title = f'<text x="{middle:.0f}" y="{_HIGH - 8}" text-anchor="middle">reads per window</text>'
    return f'<g fill="#55606e">{lines}{marks}{title}</g>'
