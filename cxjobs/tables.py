"""Tables of a surveyed batch: its columns as read, groups, practice elements, gaps, examples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxjobs import taxonomy
from cxjobs.binomial import wilson
from cxjobs.errors import DataError
from cxjobs.intervals import Interval
from cxjobs.naming import own_name
from cxjobs.shares import shifted, shrink
from cxjobs.taxonomy import CX, PRACTICES

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = NDArray[Any]

NEEDED = (
    "label", "cx_probability", "role", "role_probability", "runner_up", "runner_up_probability",
    "basis", "status",
)  # fmt: skip
"""Columns of an answer without which there is no survey."""

MIN_GROUP = 5
"""Groups with fewer postings are withheld: their shares would be noise, or one employer's."""

GAP = 0.3
"""Least distance between the probabilities by title and by content that makes a gap."""


def answer_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Answer's columns under their own names, numbers as numbers, missing text as ""."""
    found: dict[str, pd.Series[Any]] = {}
    for name in (*NEEDED, "title_cx_probability", "practice", "practice_score", "flags"):
        if at := own_name(name, frame.columns):
            found[name] = frame[at]
        elif name in NEEDED:
            raise DataError(
                f"There is no column {name!r}: a survey needs the output of classify. "
                f"Columns: {', '.join(map(str, frame.columns))}."
            )
    columns = pd.DataFrame(found, index=frame.index)
    for name in found:
        if not name.endswith(("probability", "score")):
            columns[name] = columns[name].astype(object).where(columns[name].notna(), "").map(str)
            continue
        numbers = pd.to_numeric(columns[name], errors="coerce")
        limit = len(PRACTICES) if name == "practice_score" else 1
        broken = (columns["status"] == "ok") & ~numbers.between(0, limit)
        if broken.any():
            raise DataError(
                f"Column {name!r} holds {columns[name][broken].iloc[0]!r} in row "
                f"{frame.index[broken].tolist()[0]!r}: "
                f"a number from 0 to {limit} should stand there."
            )
        columns[name] = numbers.astype(float)
    return columns


def plain_share(values: Array, size: float, confidence: float) -> Interval:
    """Share of true values, with Wilson's interval for ``size`` independent ones."""
    share = float(values.mean()) if len(values) else math.nan
    return Interval(share, *wilson(share * size, size, confidence))


def by_group(
    groups: pd.Series[Any],
    columns: pd.DataFrame,
    calibration: Mapping[str, Any] | None,
    overall: Interval,
    confidence: float,
) -> pd.DataFrame:
    """Share of CX management in each group, the largest first; small ones pooled, without."""
    p = columns["cx_probability"].to_numpy()
    after = min(max(overall.estimate, 0.5 / len(p)), 1 - 0.5 / len(p)) if len(p) else 0.5
    for basis in columns["basis"].unique():
        inside = (columns["basis"] == basis).to_numpy()
        told = (calibration or {}).get(basis)
        # The share that probabilities take for granted is their mean over the labelled postings.
        granted = np.average(np.array(told["means"])[:, 0], weights=told["n"]) if told else None
        before = float(p[inside].mean() if granted is None else granted)
        p = np.where(inside, shifted(p, before, after), p)
    names = groups.astype(object).where(groups.notna(), "(none)").map(str)
    sums = pd.DataFrame({"group": names, "called": columns["label"] == CX, "n": 1})
    sums = sums.groupby("group", as_index=False).sum()
    sums = sums.sort_values(["n", "group"], ascending=[False, True], ignore_index=True)
    kept, small = sums[sums["n"] >= MIN_GROUP], sums[sums["n"] < MIN_GROUP]
    code = pd.Index(kept["group"]).get_indexer(pd.Index(names))
    shares = shrink(p[code >= 0], code[code >= 0], after, confidence=confidence)
    rows = [
        {"group": g, "postings": int(n), "called": int(c), **fields("", share)}
        for g, n, c, share in zip(kept["group"], kept["n"], kept["called"], shares, strict=True)
    ]
    if len(small):
        rows.append(
            {
                "group": f"(groups of fewer than {MIN_GROUP}: {len(small)})",
                "postings": int(small["n"].sum()),
                "called": int(small["called"].sum()),
                **fields("", None),
            }
        )
    return pd.DataFrame(rows, columns=["group", "postings", "called", "share", "low", "high"])


def practice_table(columns: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """How many postings show each element: all counted, and those called CX management."""
    if "practice" not in columns:
        return pd.DataFrame()
    shown = columns["practice"].str.split(",")
    called = (columns["label"] == CX).to_numpy()
    names = taxonomy.load()
    rows = []
    for element in PRACTICES:
        has = shown.map(lambda found, e=element: e in found).to_numpy(bool)
        row: dict[str, Any] = {"element": element, "name": names.name(element)}
        for kind, part in (("", has), ("cx_", has[called])):
            share = fields("", plain_share(part, len(part), confidence))
            row |= {f"{kind}postings": int(part.sum())}
            row |= {f"{kind}{name}": value for name, value in share.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def practice_score(columns: pd.DataFrame) -> dict[str, float]:
    """Mean expected number of elements, of all counted and of those called CX management."""
    if "practice_score" not in columns:
        return {}
    score, called = columns["practice_score"], columns["label"] == CX
    return {"all": float(score.mean()), CX: float(score[called].mean())}


def gap_table(columns: pd.DataFrame, titles: pd.Series[Any]) -> pd.DataFrame:
    """Where title and content tell different stories, the widest gap first."""
    heads = ["kind", "row", "title", "title_cx_probability", "cx_probability", "gap"]
    if "title_cx_probability" not in columns:
        return pd.DataFrame(columns=heads)
    by_title, by_all = columns["title_cx_probability"], columns["cx_probability"]
    gap = by_title - by_all
    wide = (gap.abs() >= GAP) & ((by_title >= 0.5) != (by_all >= 0.5))
    wide &= columns["basis"] == "posting"
    found = pd.DataFrame(
        {
            "kind": np.where(gap > 0, "name only", "all but name"),
            "row": columns.index,
            "title": titles.to_numpy(),
            "title_cx_probability": by_title.to_numpy(),
            "cx_probability": by_all.to_numpy(),
            "gap": gap.to_numpy(),
        }
    )[wide.to_numpy()]
    order = found["gap"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order].reset_index(drop=True)


def examples(columns: pd.DataFrame, titles: pd.Series[Any], role: str) -> str:
    """The three surest titles of a role, each once."""
    inside = (columns["role"] == role).to_numpy()
    order = np.argsort(-columns["role_probability"].to_numpy()[inside], kind="stable")
    surest = titles.to_numpy()[inside][order]
    return "; ".join([t for t in dict.fromkeys(surest) if t][:3])


def fields(kind: str, interval: Interval | None) -> dict[str, float]:
    """Columns of a share: ``share``, ``low``, ``high``, or ``kind``, ``kind_low`` and so on."""
    heads = (kind, f"{kind}_low", f"{kind}_high") if kind else ("share", "low", "high")
    found = interval or Interval(math.nan, math.nan, math.nan)
    return dict(zip(heads, (found.estimate, found.low, found.high), strict=True))
