"""Postings worth showing beside the figures of a survey, each with why it was answered so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxjobs.frame import titles_and_descriptions
from cxjobs.taxonomy import CX, REVIEW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjobs.answer import Model
    from cxjobs.explain import Explanation
    from cxjobs.survey import Survey

EXAMPLES = 3
"""Postings shown as examples of CX management, and of those for review; one of any other role."""

GAPS = 8
"""Postings shown of each kind of gap between title and content."""


@dataclass(frozen=True)
class Example:
    """A posting worth showing.

    Attributes
    ----------
    kind : str
        A role, ``review``, ``name only`` or ``all but name``.
    id, title, company : str
        As the source has them; empty where it has none.
    role : str
        As answered.
    role_probability, cx_probability, title_cx_probability : float
        As answered; nan where the batch lacks it.
    why : Explanation or None
        None where the model that answered is not at hand.
    """

    kind: str
    id: str
    title: str
    company: str
    role: str
    role_probability: float
    cx_probability: float
    title_cx_probability: float
    why: Explanation | None


def pick(
    frame: pd.DataFrame, columns: pd.DataFrame, survey: Survey, model: Model | None
) -> Iterator[Example]:
    """The surest of each role, the most doubtful, and the widest gaps; each title once.

    Parameters
    ----------
    frame : DataFrame
        The batch, its index without repeats; without a column ``title`` there are no examples.
    columns : DataFrame
        The answer's columns of those rows that are counted.
    survey : Survey
        Of the batch.
    model : Model or None
        The one that answered, to explain them.

    Yields
    ------
    Example
    """
    if "title" not in frame:
        return
    columns = columns.assign(shown=frame.loc[columns.index, "title"].fillna("").map(str))
    order = survey.table.sort_values("postings", ascending=False, kind="stable")["role"].tolist()
    order.sort(key=lambda role: role != CX)
    surest = columns.sort_values("role_probability", ascending=False, kind="stable")
    doubtful = columns.loc[(columns["cx_probability"] - 0.5).abs().sort_values().index]
    picked = [
        *((role, surest[surest["role"] == role], EXAMPLES if role == CX else 1) for role in order),
        (REVIEW, doubtful[doubtful["label"] == REVIEW], EXAMPLES),
    ]
    for kind in ("name only", "all but name"):
        rows = survey.gaps.loc[survey.gaps["kind"] == kind, "row"]
        picked.append((kind, columns.loc[rows], GAPS))
    for kind, rows, most in picked:
        rows = rows[rows["shown"].str.strip() != ""]
        rows = rows[~rows["shown"].str.casefold().duplicated()].head(most)
        for row, answer in rows.iterrows():
            yield _example(kind, frame.loc[[row]], answer, model)


def _example(
    kind: str, posting: pd.DataFrame, answer: pd.Series[Any], model: Model | None
) -> Example:
    titles, descriptions = titles_and_descriptions(posting)
    source = posting.iloc[0]

    def text(name: str) -> str:
        return str(source[name]) if name in source and pd.notna(source[name]) else ""

    return Example(
        kind=kind,
        id=text("id"),
        title=titles[0],
        company=text("company"),
        role=answer["role"],
        role_probability=float(answer["role_probability"]),
        cx_probability=float(answer["cx_probability"]),
        title_cx_probability=float(answer.get("title_cx_probability", np.nan)),
        why=None if model is None else model.explain(titles[0], descriptions[0]),
    )
