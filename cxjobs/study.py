"""An analyst's whole study of a batch: surveyed per posting and per role, scored, with examples.

Numbers and texts only. `cxjobs.survey` holds the statistics of one batch; here they are asked for
with the errors of the very model that answered, and joined by what a reader wants beside them.
Drawing is `cxjobs.report`, which the methods of a study call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from cxjobs.answer import load_model
from cxjobs.errors import DataError, ModelError
from cxjobs.examples import Example, pick
from cxjobs.flags import distrusted
from cxjobs.naming import own_name
from cxjobs.survey import survey as survey_batch
from cxjobs.tables import answer_columns, fields, plain_share
from cxjobs.taxonomy import CX, PRACTICES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes

    from cxjobs.answer import Model
    from cxjobs.intervals import Interval
    from cxjobs.survey import Survey

Unit = Literal["posting", "role"]


@dataclass(frozen=True)
class Definition:
    """A published definition: what it says of each practice element that it names."""

    name: str
    words: dict[str, str]


@cache
def definitions() -> tuple[Definition, ...]:
    """The five published definitions.

    Examples
    --------
    >>> [d.name for d in definitions()]
    ['Ceatro', 'Gartner (A. Ray)', 'Temkin', 'CXPA', 'Hinshaw']
    """
    import tomllib
    from importlib.resources import files

    raw = tomllib.loads(files("cxjobs").joinpath("definitions.toml").read_text("utf-8"))
    return tuple(
        Definition(entry["name"], {e: entry[e] for e in PRACTICES if e in entry})
        for entry in raw["definition"]
    )


@dataclass(frozen=True)
class Study:
    """What `cxjobs.survey` finds. Prints as a table, and shows itself in a notebook.

    Attributes
    ----------
    surveys : dict of str to Survey
        By what is counted: ``posting``, and ``role``, which leaves repeated postings out.
    by : str or None
        Column of the groups.
    definitions : DataFrame
        A row a published definition: ``definition``, ``elements`` that it names,
        ``postings`` that show all of these, ``share``, ``low``, ``high``; ``cx_...`` among those
        called ``cx_management``. Empty without a column ``practice``.
    examples : tuple of Example
    models : tuple of str
        Names of the models that answered.
    about : dict
        Manifest of the model that answered, without its arrays; empty where it is not at hand.
    inputs : tuple of str
        Files, if any.
    unparsed : int
        Pieces of them that could not be parsed as postings.
    notes : tuple of str
        What could not be done, and why.
    """

    surveys: dict[str, Survey]
    by: str | None
    definitions: pd.DataFrame
    examples: tuple[Example, ...]
    models: tuple[str, ...]
    about: dict[str, Any]
    inputs: tuple[str, ...] = ()
    unparsed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def main(self) -> Survey:
        """Per posting, or per role if only that was asked for."""
        return next(iter(self.surveys.values()))

    @property
    def table(self) -> pd.DataFrame:
        """Shares of the roles; see `cxjobs.survey.Survey`."""
        return self.main.table

    @property
    def best(self) -> Interval:
        """Share of true CX management: audited, else corrected, else as answered."""
        return self.main.best

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that ``json`` can write; explanations are left out."""
        return {
            **{f"per_{unit}": found.to_dict() for unit, found in self.surveys.items()},
            "by": self.by,
            "definitions": self.definitions.astype(object)
            .where(self.definitions.notna(), None)
            .to_dict("records"),
            "examples": [
                {
                    name: None if isinstance(value, float) and np.isnan(value) else value
                    for name, value in vars(one).items()
                    if name != "why"
                }
                for one in self.examples
            ],
            "models": list(self.models),
            "inputs": list(self.inputs),
            "unparsed": self.unparsed,
            "notes": list(self.notes),
        }

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one page that needs no network; written to `path` if given."""
        from cxjobs.report import to_html, write

        page = to_html(self)
        if path is not None:
            write(path, page)
        return page

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the shares of the roles with their intervals.

        Raises
        ------
        CxjobsError
            If matplotlib is not installed.
        """
        from cxjobs.charts import plot

        return plot(self.main, axes)

    def __str__(self) -> str:
        from cxjobs.report import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from cxjobs.report import to_fragment

        return to_fragment(self)


def survey(
    frame: pd.DataFrame,
    *,
    model: Model | None = None,
    audit: pd.Series[Any] | pd.DataFrame | None = None,
    by: str | None = None,
    cluster: str | None = None,
    per: Iterable[Unit] = ("posting", "role"),
    confidence: float = 0.95,
) -> Study:
    """Survey a batch of answered postings.

    Parameters
    ----------
    frame : DataFrame
        What ``classify`` gave: the columns of an answer, beside any others. ``title``,
        ``description``, ``company`` and ``id`` are shown with the examples where they are there.
    model : Model, optional
        The one that answered; by default the shipped one, if it did. Its errors correct the
        shares, and it explains the examples.
    audit : Series or DataFrame, optional
        True roles, or labels, of a *random* part of the batch: on the frame's index, or with
        columns ``id`` and ``role``. Ten or more.
    by, cluster : str, optional
        Columns of groups to tell apart, and of postings that resemble each other.
    per : iterable of {"posting", "role"}
        What to count: every posting, or each role once, however often it was put up.
    confidence : float
        Of every interval, in (0, 1).

    Returns
    -------
    Study

    Raises
    ------
    DataError
        If a needed column is missing or unreadable, or the audit holds an unknown value.

    References
    ----------
    See `cxjobs.prevalence` and `cxjobs.shares`.

    Examples
    --------
    >>> postings = pd.DataFrame({"title": ["Head of Customer Journeys", "Call Center Agent"]})
    >>> found = survey(load_model().classify(postings))
    >>> found.main.counted, found.table["role"][0]
    (2, 'cx_management')
    """
    notes: list[str] = []
    if audit is None and not frame.index.is_unique:
        frame = frame.reset_index(drop=True)
    columns = answer_columns(frame)
    models = _models(frame)
    model = _answering(models, model, notes)
    known = {} if model is None else model.manifest
    if isinstance(audit, pd.DataFrame):
        audit = _on_index(frame, audit, notes)
    surveys: dict[str, Survey] = {}
    for unit in dict.fromkeys(per):
        surveys[unit] = survey_batch(
            frame,
            known.get("survey"),
            audit=audit,
            by=by,
            cluster=cluster,
            unique=unit == "role",
            confidence=confidence,
        )
        notes += [note for note in surveys[unit].notes if note not in notes]
    if not surveys:
        raise DataError("Nothing was asked for: per must name 'posting', 'role' or both.")
    if "role" in surveys and "flags" not in columns:
        notes.append("Repeated postings can't be told: there is no column 'flags'.")
    counted = columns[_trusted(columns)]
    main = next(iter(surveys.values()))
    return Study(
        surveys=surveys,
        by=by,
        definitions=_definition_table(counted, confidence),
        examples=tuple(pick(frame, counted, main, model)),
        models=models,
        about={name: value for name, value in known.items() if name not in ("arrays", "survey")},
        notes=tuple(notes),
    )


def _models(frame: pd.DataFrame) -> tuple[str, ...]:
    at = own_name("model", frame.columns)
    return tuple(sorted(set(frame[at].dropna().map(str)) - {""})) if at else ()


def _answering(models: tuple[str, ...], given: Model | None, notes: list[str]) -> Model | None:
    """The model that gave every answer, if it is at hand."""
    if not models:
        return given
    try:
        model = load_model() if given is None else given
    except ModelError as error:
        notes.append(f"{error}")
        return None
    if models == (model.name,):
        if "survey" not in model.manifest:
            notes.append(f"{model.name} doesn't tell its errors. Try: train it again.")
        return model
    notes.append(
        f"Answered by {' and '.join(models)}, not by the model at hand ({model.name}): "
        "give the one model that answered, or classify again."
    )
    return None


def _on_index(frame: pd.DataFrame, audit: pd.DataFrame, notes: list[str]) -> pd.Series[Any]:
    """Audited roles by row: of postings with the same id the first counts."""
    value = next((name for name in ("role", "label") if name in audit), None)
    if "id" not in audit or value is None:
        raise DataError(
            "An audit needs columns 'id' and 'role' (or 'label'). "
            f"It has: {', '.join(map(str, audit.columns)) or 'none'}."
        )
    if "id" not in frame:
        raise DataError("The postings have no column 'id' to match the audit by.")
    coded = audit[["id", value]].astype(object)
    coded = coded[coded[value].notna() & (coded[value] != "")].drop_duplicates()
    ids = coded["id"].map(str)
    if (again := ids.duplicated()).any():
        raise DataError(f"The audit gives posting {ids[again].iloc[0]!r} two roles.")
    first = ~frame["id"].map(str).duplicated()
    rows = pd.Series(frame.index[first], index=frame["id"][first].map(str))
    there = ids.isin(rows.index).to_numpy()
    if not there.all():
        notes.append(
            f"{(~there).sum()} audited ids are not in the batch, such as {ids[~there].iloc[0]!r}."
        )
    return pd.Series(coded[value].to_numpy()[there], index=rows[ids[there]].to_numpy())


def _trusted(columns: pd.DataFrame) -> pd.Series[Any]:
    trusted = columns["status"] == "ok"
    if "flags" in columns:
        trusted &= ~columns["flags"].map(distrusted)
    return trusted


def _definition_table(columns: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """How many postings show all that each published definition names."""
    if "practice" not in columns:
        return pd.DataFrame()
    shown = columns["practice"].map(lambda found: set(found.split(",")))
    called = (columns["label"] == CX).to_numpy()
    rows = []
    for one in definitions():
        has = shown.map(lambda found, one=one: found >= set(one.words)).to_numpy(bool)
        row: dict[str, Any] = {"definition": one.name, "elements": ",".join(one.words)}
        for kind, part in (("", has), ("cx_", has[called])):
            row[f"{kind}postings"] = int(part.sum())
            share = fields("", plain_share(part, len(part), confidence))
            row |= {f"{kind}{name}": value for name, value in share.items()}
        rows.append(row)
    return pd.DataFrame(rows)
