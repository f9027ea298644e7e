"""Bars with intervals: as inline SVG for the report, and by matplotlib for notebooks.

The SVG measures its width in percent, so that bars grow with the page while letters keep their
size, on a phone as in print. Nothing is told by colour alone: figures are written out, the bar
that matters is darker, and the plain count is a ring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cxjobs.errors import CxjobsError
from cxjobs.taxonomy import CX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjobs.survey import Survey

DARK, MIDDLE, INK = "#0b4f71", "#a9b4bb", "#111111"
"""Of the bar that matters, of the others, and of letters and whiskers; far apart in grey."""

ROW, BAR = 42, 14
"""Height of a bar with its line of text above, and of the bar itself, in pixels."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes
    ----------
    name : str
        Written above it.
    share, low, high : float
        0 to 1; nan draws no bar.
    ring : float
        A second figure, drawn as a ring; nan for none.
    dark : bool
        Whether it is the one that matters.
    note : str
        Written instead of the figures where the share is nan.
    """

    name: str
    share: float
    low: float
    high: float
    ring: float = math.nan
    dark: bool = False
    note: str = "no figure"


def svg(bars: Sequence[Bar], key: str, title: str, description: str) -> str:
    """Bars with whiskers as one ``<svg>``.

    Parameters
    ----------
    bars : sequence of Bar
        From the top down.
    key : str
        Begins the ids of its title and description; a page holds it once.
    title, description : str
        For those who don't see it; escaped here, as are the names of the bars.

    Returns
    -------
    str
        Without any style, script or address from outside.
    """
    full = _full(bars)
    height = ROW * len(bars) + 30
    parts = [
        f'<svg class="chart" role="img" aria-labelledby="{key}-title {key}-desc" width="100%" '
        f'height="{height}" font-family="inherit" font-size="14">',
        f'<title id="{key}-title">{escape(title)}</title>',
        f'<desc id="{key}-desc">{escape(description)}</desc>',
    ]
    base = ROW * len(bars)
    for tick in _ticks(full):
        x, anchor = f"{100 * tick / full:.2f}%", "middle"
        anchor = "start" if tick == 0 else "end" if tick == full else anchor
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="0" y2="{base + 4}" stroke="#d5dadd" stroke-width="1"/>'
            f'<text x="{x}" y="{base + 22}" text-anchor="{anchor}" fill="#444" font-size="13">'
            f"{100 * tick:.0f}%</text>"
        )
    for i, bar in enumerate(bars):
        parts.append(_row(bar, i * ROW, full))
    return "".join([*parts, "</svg>"])


def _row(bar: Bar, top: int, full: float) -> str:
    def x(share: float) -> str:
        return f"{100 * min(max(share / full, 0), 1):.2f}%"

    weight = ' font-weight="700"' if bar.dark else ""
    missing = math.isnan(bar.share)
    figures = bar.note if missing else f"{percent(bar.share)} ({between(bar.low, bar.high)})"
    label = (
        f'<text x="0" y="{top + 16}" fill="{INK}"{weight}>{escape(bar.name)}</text>'
        f'<text x="100%" y="{top + 16}" text-anchor="end" fill="{INK}"{weight}>'
        f"{escape(figures)}</text>"
    )
    middle = top + 22 + BAR // 2
    parts = [label]
    if not missing:
        parts.append(
            f'<rect x="0" y="{top + 22}" width="{x(bar.share)}" height="{BAR}" '
            f'fill="{DARK if bar.dark else MIDDLE}"/>'
        )
    if not math.isnan(bar.low):
        # White below black: the whisker stays visible on the dark bar.
        parts += [
            f'<line x1="{x(bar.low)}" x2="{x(bar.high)}" y1="{middle}" y2="{middle}" '
            f'stroke="{colour}" stroke-width="{width}"/>'
            for colour, width in (("#fff", 5), (INK, 2))
        ]
        parts += [
            f'<line x1="{x(end)}" x2="{x(end)}" y1="{middle - 5}" y2="{middle + 5}" '
            f'stroke="{INK}" stroke-width="2"/>'
            for end in (bar.low, bar.high)
        ]
    if not math.isnan(bar.ring):
        parts.append(
            f'<circle cx="{x(bar.ring)}" cy="{middle}" r="5" fill="#fff" stroke="{INK}" '
            'stroke-width="2"/>'
        )
    return "".join(parts)


def _full(bars: Sequence[Bar]) -> float:
    """Share at the right edge: a round one that holds all."""
    ends = [v for b in bars for v in (b.share, b.high, b.ring) if not math.isnan(v)]
    top = max(ends, default=1.0)
    return next(full for full in _STEPS if top <= full or full == 1)


def _ticks(full: float) -> list[float]:
    parts = _STEPS[full]
    return [full * i / parts for i in range(parts + 1)]


_STEPS = {0.05: 5, 0.1: 5, 0.2: 4, 0.3: 3, 0.4: 4, 0.5: 5, 0.6: 3, 0.8: 4, 1.0: 5}
"""Shares that may stand at the right edge, and into how many steps they are parted."""


def percent(share: float, digits: int = 1) -> str:
    """Share as a reader sees it.

    Examples
    --------
    >>> percent(0.0688), percent(math.nan)
    ('6.9%', '–')
    """
    return "–" if math.isnan(share) else f"{share:.{digits}%}"


def between(low: float, high: float) -> str:
    """Interval as a reader sees it.

    Examples
    --------
    >>> between(0.036, 0.121)
    '3.6 to 12.1'
    """
    if math.isnan(low):
        return "–"
    return f"{100 * low:.1f} to {100 * high:.1f}"


def chance(probability: float) -> str:
    """Probability of one posting; never as if it were certain.

    Examples
    --------
    >>> chance(0.9996), chance(0.42)
    ('>99%', '42%')
    """
    if math.isnan(probability):
        return "–"
    sure = ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else ""
    return sure or f"{probability:.0%}"


def ends(kind: str) -> tuple[str, str]:
    """Columns of the interval of a column of shares.

    Examples
    --------
    >>> ends("share"), ends("cx_share"), ends("corrected")
    (('low', 'high'), ('cx_low', 'cx_high'), ('corrected_low', 'corrected_high'))
    """
    head = kind.removesuffix("share") if kind.endswith("share") else f"{kind}_"
    return f"{head}low", f"{head}high"


def best_kind(survey: Survey) -> str:
    """Which column of the table of roles leans least on assumptions: its name, or ``share``."""
    return "audited" if survey.audited else "corrected" if survey.corrected else "share"


def role_bars(survey: Survey) -> list[Bar]:
    """Bars of all roles, CX management first, then the most frequent; rings are plain counts."""
    kind = best_kind(survey)
    low, high = ends(kind)
    table = survey.table.sort_values([kind, "share"], ascending=False, kind="stable")
    rows = sorted(table.to_dict("records"), key=lambda row: row["role"] != CX)
    return [
        Bar(
            row["name"],
            row[kind],
            row[low],
            row[high],
            ring=math.nan if kind == "share" else row["share"],
            dark=row["role"] == CX,
            note=f"{percent(row['share'])}, not corrected",
        )
        for row in rows
    ]


def plot(survey: Survey, axes: Axes | None = None) -> Axes:
    """Draw the shares of the roles with their intervals by matplotlib.

    Parameters
    ----------
    survey : Survey
    axes : Axes, optional
        To draw on; otherwise a new figure is made.

    Returns
    -------
    Axes

    Raises
    ------
    CxjobsError
        If matplotlib is not installed.
    """
    bars = [bar for bar in role_bars(survey) if not math.isnan(bar.share)]
    if axes is None:
        try:
            from matplotlib import pyplot
        except ImportError:
            raise CxjobsError(
                "Plots need matplotlib. Try: pip install 'cxjobs[notebook]'."
            ) from None
        _, axes = pyplot.subplots(figsize=(8, 0.4 * len(bars) + 1.2), layout="constrained")
    places = range(len(bars))
    axes.barh(
        places, [100 * b.share for b in bars], color=[DARK if b.dark else MIDDLE for b in bars]
    )
    whiskers = [
        [100 * (b.share - b.low) for b in bars],
        [100 * (b.high - b.share) for b in bars],
    ]
    axes.errorbar(
        [100 * b.share for b in bars],
        places,
        xerr=whiskers,
        fmt="none",
        ecolor=INK,
        capsize=3,
        linewidth=1.2,
    )
    if any(not math.isnan(b.ring) for b in bars):
        axes.plot(
            [100 * b.ring for b in bars],
            places,
            "o",
            markerfacecolor="white",
            markeredgecolor=INK,
            linestyle="none",
            label="counted, not corrected",
        )
        axes.legend(frameon=False, loc="lower right")
    axes.set_yticks(list(places), [b.name for b in bars])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    how = {"audited": "by the audit", "corrected": "corrected for errors", "share": "counted"}
    axes.set_xlabel(
        f"share of {survey.counted:,} postings, {how[best_kind(survey)]}, "
        f"{survey.confidence:.0%} intervals (%)"
    )
    axes.spines[["top", "right"]].set_visible(False)
    return axes
