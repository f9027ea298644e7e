"""What a batch of answered postings says: shares of roles with intervals, by group, and gaps.

Works on the columns of an answer alone, so that last year's output can be surveyed without a
model. What the model's errors do to a count is corrected with the calibration that its manifest
carries (:func:`cxjobs.prevalence.calibration`), or with an audited random part of the batch, or
not at all; each share says which. Rejected postings and those whose text can't be trusted are
counted and left out of every share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxjobs import taxonomy
from cxjobs.errors import DataError, ModelError
from cxjobs.flags import distrusted, repeated
from cxjobs.intervals import Interval
from cxjobs.prevalence import OTHER, Calibration, folded, looks
from cxjobs.shares import audited_share, combine, effective_size
from cxjobs.tables import (
    answer_columns,
    by_group,
    examples,
    fields,
    gap_table,
    plain_share,
    practice_score,
    practice_table,
)
from cxjobs.taxonomy import CONFLATED, CX, REVIEW, ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = NDArray[Any]


@dataclass(frozen=True)
class Survey:
    """A batch in figures.

    Attributes
    ----------
    postings, rejected, distrusted, repeated : int
        All rows of the batch; those rejected; those flagged as not to be trusted; those that
        repeat another row and were left out (0 unless unique postings were asked for).
    counted : int
        The rest, which every share is about.
    confidence : float
        Of every interval.
    naive, corrected, audited : Interval or None
        Share of true CX management: of answered roles; by adjusted count; by the audit. None
        where there was no calibration, or no audit.
    table : DataFrame
        A row a role: ``role``, ``name``, ``postings``, ``share``, ``low``, ``high`` (naive), and
        ``corrected...`` and ``audited...`` the same way; nan where not asked for; ``examples``.
    labels : DataFrame
        ``label``, ``postings``, ``share``, ``low``, ``high`` of what was decided, review included.
    groups : DataFrame or None
        ``group``, ``postings``, ``called``, ``share``, ``low``, ``high``; see :func:`survey`.
    practice : DataFrame
        A row an element: ``postings`` that show it, ``share``, ``low``, ``high``, and the same
        among those called ``cx_management`` (``cx_...``). Naive: not corrected for errors.
    practice_score : dict of str to float
        Mean expected number of elements, 0 to 5, over ``all`` and over ``cx_management``.
    gaps : DataFrame
        ``kind`` ("name only": the title promises CX management and the content has none; "all
        but name": the reverse), ``row`` (of the batch), ``title``, both probabilities, ``gap``.
    notes : tuple of str
        What could not be done, and why.
    """

    postings: int
    rejected: int
    distrusted: int
    repeated: int
    counted: int
    confidence: float
    naive: Interval
    corrected: Interval | None
    audited: Interval | None
    table: pd.DataFrame
    labels: pd.DataFrame
    groups: pd.DataFrame | None
    practice: pd.DataFrame
    practice_score: dict[str, float]
    gaps: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def best(self) -> Interval:
        """The share that leans least on assumptions: audited, else corrected, else naive."""
        return self.audited or self.corrected or self.naive

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; frames become lists of records, nan becomes None."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, pd.DataFrame):
                found[name] = [
                    {k: _plain(v) for k, v in row.items()} for row in value.to_dict("records")
                ]
            elif isinstance(value, Interval):
                found[name] = value.to_dict()
            elif isinstance(value, dict):
                found[name] = {k: _plain(v) for k, v in value.items()}
            else:
                found[name] = list(value) if isinstance(value, tuple) else value
        return found

    def __str__(self) -> str:
        best = self.best
        how = {id(self.audited): "by the audit", id(self.corrected): "corrected for errors"}
        if not self.counted:
            return f"No posting of {self.postings} could be counted."
        return (
            f"{best.estimate:.0%} of {self.counted:,} postings are CX management "
            f"({self.confidence:.0%} interval {best.low:.0%} to {best.high:.0%}, "
            f"{how.get(id(best), 'as answered, not corrected for errors')})."
        )


def survey(
    frame: pd.DataFrame,
    calibration: Mapping[str, Any] | None = None,
    *,
    audit: pd.Series[Any] | None = None,
    by: str | None = None,
    cluster: str | None = None,
    unique: bool = False,
    confidence: float = 0.95,
) -> Survey:
    """Survey a batch of answered postings.

    Parameters
    ----------
    frame : DataFrame
        Any columns, and those of an answer, as `cxjobs.naming` finds them; ``title`` for examples
        and gaps, which stay empty without it.
    calibration : mapping, optional
        What :func:`cxjobs.prevalence.calibration` gave, from the manifest of the model that
        answered. Without it shares are not corrected.
    audit : Series, optional
        True roles, or labels, of a *random* part of the batch, on the frame's index; missing
        where not coded. Rows not in the frame are ignored, and counted in a note.
    by : str, optional
        Column whose values are groups. Their shares of CX management are drawn towards the
        overall share (:func:`cxjobs.shares.shrink`); groups with fewer than ``MIN_GROUP``
        counted postings are pooled into one row without a share.
    cluster : str, optional
        Column whose equal values resemble each other, such as the employer; intervals widen.
    unique : bool
        Leave out rows flagged ``duplicate_of``.
    confidence : float
        Of every interval, in (0, 1).

    Returns
    -------
    Survey

    Raises
    ------
    DataError
        If a needed column is missing or unreadable, or the audit holds an unknown value.

    Examples
    --------
    >>> answer = pd.DataFrame({
    ...     "title": ["Head of CX", "Rep", "Agent"], "status": "ok", "basis": "posting",
    ...     "label": ["cx_management", "conflated", "review"], "cx_probability": [0.9, 0.1, 0.4],
    ...     "role": ["cx_management", "sales", "sales"], "role_probability": [0.9, 0.8, 0.5],
    ...     "runner_up": ["sales", "other", "cx_management"],
    ...     "runner_up_probability": [0.05, 0.1, 0.4]})
    >>> found = survey(answer)
    >>> round(found.naive.estimate, 3), found.counted
    (0.333, 3)
    """
    columns = answer_columns(frame)
    for name in (by, cluster):
        if name is not None and name not in frame.columns:
            raise DataError(
                f"There is no column {name!r}. Columns: {', '.join(map(str, frame.columns))}."
            )
    answered = (columns["status"] == "ok").to_numpy()
    doubted, copies = np.zeros(len(frame), bool), np.zeros(len(frame), bool)
    if "flags" in columns:
        doubted = answered & columns["flags"].map(distrusted).to_numpy(bool)
        copies = columns["flags"].map(repeated).to_numpy(bool) & answered & ~doubted & unique
    counted = answered & ~doubted & ~copies
    source, columns = frame[counted], columns[counted]
    notes: list[str] = []
    clusters = None if cluster is None else _groups(source[cluster])
    look = looks(columns)
    role = columns["role"].to_numpy()
    size = {r: _size(role == r, clusters) for r in ROLES}
    naive = {r: plain_share(role == r, size[r], confidence) for r in ROLES}
    adjusted = _corrected(look, columns["basis"], clusters, calibration, confidence, notes)
    audited = _audited(frame.index[counted], columns, audit, confidence, notes)
    none = pd.Series("", index=source.index)
    titles = source["title"].astype(str) if "title" in source else none
    names = taxonomy.load()
    table = pd.DataFrame(
        {
            "role": r,
            "name": names.name(r),
            "postings": int((role == r).sum()),
            **fields("", naive[r]),
            **fields("corrected", adjusted.get(r)),
            **fields("audited", audited.get(r)),
            "examples": examples(columns, titles, r),
        }
        for i, r in enumerate(ROLES)
    )
    label = columns["label"].to_numpy()
    best = audited.get(CX) or adjusted.get(CX) or naive[CX]
    return Survey(
        postings=len(frame),
        rejected=int((~answered).sum()),
        distrusted=int(doubted.sum()),
        repeated=int(copies.sum()),
        counted=len(columns),
        confidence=confidence,
        naive=naive[CX],
        corrected=adjusted.get(CX),
        audited=audited.get(CX),
        table=table,
        labels=pd.DataFrame(
            {
                "label": value,
                "postings": int((label == value).sum()),
                **fields(
                    "", plain_share(label == value, _size(label == value, clusters), confidence)
                ),
            }
            for value in (CX, REVIEW, CONFLATED)
        ),
        groups=None if by is None else by_group(source[by], columns, calibration, best, confidence),
        practice=practice_table(columns, confidence),
        practice_score=practice_score(columns),
        gaps=gap_table(columns, titles),
        notes=tuple(notes),
    )


def _groups(column: pd.Series[Any]) -> Array:
    """Group codes; a missing value is a group of its own."""
    codes, _ = pd.factorize(column)
    return np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(codes.size), codes)


def _size(values: Array, clusters: Array | None) -> float:
    return len(values) if clusters is None or not len(values) else effective_size(values, clusters)


def _corrected(
    look: Array,
    basis: pd.Series[Any],
    clusters: Array | None,
    calibration: Mapping[str, Any] | None,
    confidence: float,
    notes: list[str],
) -> dict[str, Interval]:
    """Adjusted counts, each basis by its own errors, added up by their parts of the batch."""
    there = [str(b) for b in basis.unique()]
    if calibration is None:
        notes.append("Shares are not corrected: the model's errors were not given.")
        return {}
    if lacking := [b for b in there if b not in calibration]:
        notes.append(f"Shares are not corrected: no errors are known of basis {lacking[0]!r}.")
        return {}
    parts: list[dict[str, Interval]] = []
    for b in there:
        inside = (basis == b).to_numpy()
        fitted = Calibration.from_dict(calibration[b])
        roles = list(calibration[b].get("roles", ROLES))
        if len(roles) != fitted.n.size or not {CX, OTHER} <= set(roles) <= set(ROLES):
            raise ModelError(f"The calibration of shares for basis {b!r} lacks its roles.")
        shares = fitted.shares(
            folded(look[inside], roles),
            groups=None if clusters is None else clusters[inside],
            confidence=confidence,
        )
        parts.append(dict(zip(roles, shares, strict=True)))
    if not parts:
        return {}
    told = [role for role in ROLES if all(role in part for part in parts)]
    if few := [role for role in ROLES if role not in told]:
        notes.append(
            f"Too few labelled postings to correct the share of {', '.join(few)}: "
            f"the corrected share of {OTHER!r} includes them."
        )
    weights = [float((basis == b).mean()) for b in there]
    return {role: combine([part[role] for part in parts], weights) for role in told}


def _audited(
    index: pd.Index[Any],
    columns: pd.DataFrame,
    audit: pd.Series[Any] | None,
    confidence: float,
    notes: list[str],
) -> dict[str, Interval]:
    """Prediction-powered shares: of each role, or of CX management alone if labels were coded."""
    if audit is None:
        return {}
    coded = audit.dropna().astype(str).str.strip()
    coded = coded[coded != ""]
    if not (index.is_unique and coded.index.is_unique):
        raise DataError("Rows of the batch and of the audit need an index without repeats.")
    if strange := sorted(set(coded) - {*ROLES, CONFLATED}):
        raise DataError(f"The audit holds {strange[0]!r}, which is neither a role nor a label.")
    known = coded.reindex(index)
    inside = known.notna().to_numpy()
    if len(coded) > inside.sum():
        notes.append(f"{len(coded) - inside.sum()} audited postings are not among those counted.")
    if inside.sum() < 10:
        notes.append(f"The audit is left out: {inside.sum()} postings, 10 or more are needed.")
        return {}
    truth, look = known.to_numpy(), looks(columns)
    roles = [CX] if CONFLATED in set(coded) else ROLES
    return {
        role: audited_share(
            truth[inside] == role, look[inside, i], look[~inside, i], confidence=confidence
        )
        for i, role in enumerate(roles)
    }


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value
