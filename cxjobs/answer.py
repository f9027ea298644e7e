"""Answers for postings: the loaded model, the columns of an answer, the flags of doubt.

One `Model` answers for a single title, for Arrow arrays in batches, and for frames, always by
the compiled scorer. Nothing heavier than the standard library is imported until a batch comes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any

from cxjobs import soundness, store
from cxjobs.decision import LABELS, Band, Table, codes, decide
from cxjobs.errors import DataError, ModelError
from cxjobs.flags import DISTRUSTED, flag_column, flags_of
from cxjobs.frame import titles_and_descriptions
from cxjobs.naming import own_names
from cxjobs.scorer import Scorer
from cxjobs.taxonomy import PRACTICES, REVIEW, ROLES, name_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from cxjobs.explain import Explanation


@dataclass(frozen=True)
class Answer:
    """Answer for one posting; the fields are the columns of a batch's answer.

    Attributes
    ----------
    label : str
        ``cx_management``, ``conflated`` or ``review``; empty where rejected.
    cx_probability : float or None
        Calibrated probability of true CX management, 0 to 1.
    role, runner_up : str
        Most and second most probable role.
    role_probability, runner_up_probability : float or None
        Their probabilities.
    practice : str
        Practice elements with a probability of at least 0.5, comma-separated.
    practice_score : float or None
        Expected number of practice elements, 0 to 5.
    basis : str
        ``posting`` or ``title``: what the answer rests on.
    title_cx_probability : float or None
        `cx_probability` by the title alone.
    flags : str
        Comma-separated doubts about the text.
    status, reason : str
        ``ok``, or ``rejected`` and why.
    text_hash : str
        Tells whether the text has changed since.
    model : str
        Name, version and hash of the model.
    """

    label: str
    cx_probability: float | None
    role: str
    role_probability: float | None
    runner_up: str
    runner_up_probability: float | None
    practice: str
    practice_score: float | None
    basis: str
    title_cx_probability: float | None
    flags: str
    status: str
    reason: str
    text_hash: str
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Fields as a plain dictionary, in the order of columns."""
        return asdict(self)

    def __str__(self) -> str:
        if self.status != "ok":
            return f"rejected: {self.reason}"
        lines = [
            f"{self.label}: {self.cx_probability:.0%} likely to be true CX management"
            f" (by {'title and description' if self.basis == 'posting' else 'the title alone'})",
            f"role: {name_of(self.role)} {self.role_probability:.0%}"
            f", then {name_of(self.runner_up)} {self.runner_up_probability:.0%}",
        ]
        if self.basis == "posting":
            lines.append(f"practice: {self.practice.replace(',', ', ') or 'none of the elements'}")
        if self.flags:
            lines.append(f"flags: {self.flags.replace(',', ', ')}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


COLUMNS = tuple(f.name for f in fields(Answer))
"""Columns of a batch's answer, in order; ``evidence`` stands before ``flags`` on request."""

NUMBERS = frozenset(c for c in COLUMNS if c.endswith(("probability", "score")))
"""Those of them that hold numbers, missing where rejected; the others hold text."""

REJECTED = "no title and no description"


class Model:
    """A loaded model folder with the decision asked of it. Get one by `load_model`.

    Attributes
    ----------
    manifest : dict
        What the folder says about itself.
    bands : dict of str to Band
        Per basis, the thresholds and their promise.
    name : str
        Name, version and hash, as written into every answer.
    """

    def __init__(self, folder: store.Folder, precision: float | None, max_lost: float | None):
        manifest = folder.manifest
        self.manifest = manifest
        self.folder = folder
        soundness.check_arrays(folder)
        try:
            promise = manifest["promise"]
            self.bands: dict[str, Band] = {
                basis: Table.from_dict(table).choose(
                    promise[basis]["precision"] if precision is None else precision,
                    promise[basis]["max_lost"] if max_lost is None else max_lost,
                    promise[basis]["confidence"],
                )
                for basis, table in manifest["thresholds"].items()
            }
            self.name = f"{manifest['name']}+{manifest['arrays']['sha256'][:8]}"
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{folder.path}: its manifest lacks {error}. Try: train it again."
            ) from None
        except ModelError as error:
            raise ModelError(f"{folder.path}: {error}") from None
        for block in soundness.blocks(folder):
            if soundness.BLOCKS[block] not in self.bands:
                raise ModelError(
                    f"{folder.path}: has no thresholds for the {block}. Try: train it again."
                )
        self._scorer, self._checked = Scorer(folder), False

    def predict(self, title: str, description: str | None = None) -> Answer:
        """Answer for one posting.

        Parameters
        ----------
        title : str
            As posted.
        description : str, optional
            As posted; without it the answer rests on the title alone.

        Returns
        -------
        Answer
            Prints as a few lines.

        Raises
        ------
        DataError
            If neither holds a letter or digit.

        Examples
        --------
        >>> load_model().predict("Call Center Agent").role
        'call_center'
        """
        for name, value in (("title", title), ("description", description)):
            if value is not None and not isinstance(value, str):
                raise DataError(f"The {name} must be text, not {type(value).__name__}.")
        with soundness.suspected(self.folder):
            score = self._scorer.score_one(title or "", description or "")
            if not all(map(isfinite, (*score.roles, *score.practice))):
                raise ArithmeticError("A probability is no number.")
        if not score.has_title and not score.posting_basis:
            raise DataError(
                "The title is empty, and there is no description. "
                'Try: cxjobs predict "Director of Customer Experience".'
            )
        basis = "posting" if score.posting_basis else "title"
        order = sorted(range(len(ROLES)), key=lambda k: -score.roles[k])
        first, second = order[:2]
        doubts = flags_of(score, description or "")
        label = decide(score.roles[0], self.bands[basis])
        return Answer(
            label=REVIEW if DISTRUSTED.intersection(doubts) else label,
            cx_probability=round(score.roles[0], 6),
            role=ROLES[first],
            role_probability=round(score.roles[first], 6),
            runner_up=ROLES[second],
            runner_up_probability=round(score.roles[second], 6),
            practice=",".join(
                e for e, p in zip(PRACTICES, score.practice, strict=True) if p >= 0.5
            ),
            practice_score=round(sum(score.practice), 6),
            basis=basis,
            title_cx_probability=round(score.title_cx, 6),
            flags=",".join(doubts),
            status="ok",
            reason="",
            text_hash=score.text_hash,
            model=self.name,
        )

    def explain(self, title: str, description: str | None = None) -> Explanation:
        """Tell which words of a posting decided; parameters and errors as of `predict`.

        Returns
        -------
        Explanation
            Prints as a list; in a notebook as the text with its words marked.
        """
        from cxjobs.explain import explain

        self.predict(title, description)  # refuses what it cannot answer for
        with soundness.suspected(self.folder):
            return explain(self._scorer, title or "", description or "")

    def answer_batch(
        self, title: pa.Array, description: pa.Array, *, evidence: bool = False
    ) -> pa.Table:
        """Answer for a batch of raw texts.

        Parameters
        ----------
        title, description : Arrow string arrays of equal length
            Missing is ``""``.
        evidence : bool
            Adds the column ``evidence``: the terms that decided, with signs.

        Returns
        -------
        pa.Table
            One row a posting, columns of `COLUMNS` (and ``evidence`` before ``flags``).
        """
        import numpy as np
        import pyarrow as pa

        if not self._checked:
            soundness.check_values(self.folder)
            self._checked = True
        scores = self._scorer.score_batch(title, description)
        n = len(scores.roles)
        rejected = ~scores.has_title & ~scores.posting_basis
        first = scores.roles.argmax(axis=1)
        rest = scores.roles.copy()
        rows = np.arange(n)
        rest[rows, first] = -1.0
        second = rest.argmax(axis=1)
        flags, distrusted = flag_column(scores, description)
        by_title, by_both = self.bands["title"], self.bands.get("posting", self.bands["title"])
        label = codes(
            scores.roles[:, 0],
            np.where(scores.posting_basis, by_both.lower, by_title.lower),
            np.where(scores.posting_basis, by_both.upper, by_title.upper),
        )
        label[distrusted] = _LABELS.index(REVIEW)
        label[rejected] = _LABELS.index("")

        def chosen(at: np.ndarray[Any, Any], values: tuple[str, ...]) -> pa.Array:
            return pa.array(values).take(pa.array(at.astype(np.int32)))

        def text(at: np.ndarray[Any, Any], values: tuple[str, ...]) -> pa.Array:
            return chosen(np.where(rejected, len(values), at), (*values, ""))

        def number(values: np.ndarray[Any, Any]) -> pa.Array:
            return pa.array(values.round(6), pa.float64(), mask=rejected)

        bits = (scores.practice >= 0.5) @ (1 << np.arange(len(PRACTICES)))
        columns = {
            "label": text(label, _LABELS),
            "cx_probability": number(scores.roles[:, 0]),
            "role": text(first, ROLES),
            "role_probability": number(scores.roles[rows, first]),
            "runner_up": text(second, ROLES),
            "runner_up_probability": number(scores.roles[rows, second]),
            "practice": text(bits, _PRACTICE_SETS),
            "practice_score": number(scores.practice.sum(axis=1)),
            "basis": text(np.where(scores.posting_basis, 0, 1), ("posting", "title")),
            "title_cx_probability": number(scores.title_cx),
        }
        if evidence:
            with soundness.suspected(self.folder):
                columns["evidence"] = self._evidence(title, description, first, second, rejected)
        columns |= {
            "flags": flags,
            "status": chosen(rejected, ("ok", "rejected")),
            "reason": chosen(rejected, ("", REJECTED)),
            "text_hash": scores.text_hash,
            "model": pa.repeat(self.name, n),
        }
        return pa.table(columns)

    def _evidence(
        self, title: pa.Array, description: pa.Array, first: Any, second: Any, rejected: Any
    ) -> pa.Array:
        import pyarrow as pa

        from cxjobs.explain import evidence

        return pa.array(
            [
                "" if out else evidence(self._scorer, t, d, int(a), int(b))
                for t, d, a, b, out in zip(
                    title.to_pylist(), description.to_pylist(), first, second, rejected, strict=True
                )
            ],
            pa.string(),
        )

    def classify(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Answer for a frame of postings.

        Parameters
        ----------
        frame : DataFrame
            With ``title`` and, optionally, ``description``; missing values are empty text.

        Returns
        -------
        DataFrame
            The frame's columns and index, unchanged; then those of the answer, named as
            `cxjobs.naming` has it where the frame has the name already.

        Raises
        ------
        DataError
            If there is no column ``title``, or a value is not text.
        """
        import pandas as pd
        import pyarrow as pa

        title, description = (
            pa.array(texts, pa.large_string()) for texts in titles_and_descriptions(frame)
        )
        answer = self.answer_batch(title, description).to_pandas()
        answer.index = frame.index
        answer.columns = pd.Index(own_names(answer.columns, frame.columns))
        both: pd.DataFrame = pd.concat([frame, answer], axis=1)
        return both


def load_model(
    folder: str | Path | None = None,
    *,
    precision: float | None = None,
    max_lost: float | None = None,
) -> Model:
    """Load a model folder, by default the one that comes with the package.

    Parameters
    ----------
    folder : str or Path, optional
        As ``cxjobs train`` wrote it.
    precision : float, optional
        Least share of true ones among those called ``cx_management``, inside (0, 1); by default
        what the model was trained to promise.
    max_lost : float, optional
        Greatest share of the true ones that may be called ``conflated``, inside (0, 1).

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the folder is missing, altered, or needs another version.

    Examples
    --------
    >>> load_model().predict("UX Designer").label
    'conflated'
    """
    return Model(store.read(store.shipped() if folder is None else folder), precision, max_lost)


_LABELS = (*LABELS, "")
_PRACTICE_SETS = tuple(
    ",".join(e for k, e in enumerate(PRACTICES) if bits >> k & 1) for bits in range(32)
)
