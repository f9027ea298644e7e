"""Flags of doubt: what about a text makes its answer less sure, or not to be trusted.

Each flag is defined once, in `doubts`, for single values and for arrays alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

SHORT = 120
"""Characters of cleaned description below which it is ``short_description``: a line or two can't
tell what the job mainly does, and the model has learnt from longer ones only."""

LEAST_KNOWN = 0.4
"""Share of content words that the model must know; below, ``few_known_words``."""

LEAST_FUNCTION = 0.1
"""Share of English function words among all words; below, ``not_english``."""

JUDGED_FROM = 20
"""Words from which a text's language is judged."""

FLAGS = (
    "no_title",
    "no_description",
    "short_description",
    "truncated",
    "not_english",
    "few_known_words",
)
"""Flags in the order in which an answer lists them; `REPEATED` with an id may follow."""

REPEATED = "duplicate_of"
"""Flag of a posting that repeats an earlier one of the batch, whose id follows after a colon."""

DISTRUSTED = frozenset({"no_title", "short_description", "not_english", "few_known_words"})
"""Flags with which the label is ``review``, whatever the probability."""

CUT_OFF = r"(?:…|\.\.\.|&hellip;|\[\+[0-9]+ chars\])(?:\s|</?[A-Za-z]+/?>)*\z"
"""How a truncated description ends, as a regular expression for RE2."""

TAIL = 80
"""Characters at the end of a description in which `CUT_OFF` is sought."""

_SETS = tuple(
    ",".join(f for k, f in enumerate(FLAGS) if bits >> k & 1) for bits in range(2 ** len(FLAGS))
)


def doubts(score: Any, cut_off: Any) -> tuple[Any, ...]:
    """Truth of each of `FLAGS`, for one score or for a batch of scores.

    Parameters
    ----------
    score : Score or Scores
        Of the compiled scorer.
    cut_off : bool or ndarray of bool
        Whether the description ends as truncated ones do.
    """
    content = score.n_tokens - score.n_function
    return (
        score.has_title ^ True,
        score.posting_basis ^ True,
        score.posting_basis & (score.description_length < SHORT),
        score.posting_basis & cut_off,
        (score.n_tokens >= JUDGED_FROM) & (score.n_function < LEAST_FUNCTION * score.n_tokens),
        (content == 0) | (score.n_known < LEAST_KNOWN * content),
    )


def distrusted(flags: str) -> bool:
    """Whether an answer's flags make it `review`, whatever the probability.

    Examples
    --------
    >>> distrusted("truncated,not_english"), distrusted("truncated")
    (True, False)
    """
    return not DISTRUSTED.isdisjoint(flags.split(","))


def repeated(flags: str) -> bool:
    """Whether an answer's flags tell that its posting repeats another.

    Examples
    --------
    >>> repeated("truncated,duplicate_of:7"), repeated("truncated")
    (True, False)
    """
    return any(flag.startswith(f"{REPEATED}:") for flag in flags.split(","))


def flags_of(score: Any, description: str) -> list[str]:
    """Flags of one posting, by its score and its raw description."""
    import re

    cut_off = re.search(CUT_OFF.replace(r"\z", r"\Z"), description[-TAIL:]) is not None
    return [flag for flag, doubt in zip(FLAGS, doubts(score, cut_off), strict=True) if doubt]


def cut_off(description: pa.Array) -> NDArray[np.bool_]:
    """Whether each raw description ends as truncated ones do.

    Examples
    --------
    >>> import pyarrow as pa
    >>> cut_off(pa.array(["You will own the…", "You own it."])).tolist()
    [True, False]
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    cut = np.zeros(len(description), bool)
    # Bytes are cut at once, characters have to be counted: only of the few that match.
    tail = pc.binary_slice(description.cast(pa.large_binary()), start=-4 * TAIL)
    rows = pc.indices_nonzero(pc.match_substring_regex(tail, CUT_OFF))
    tail = pc.utf8_slice_codeunits(description.take(rows), start=-TAIL)
    cut[rows] = pc.match_substring_regex(tail, CUT_OFF)
    return cut


def flag_column(scores: Any, description: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Flags of a batch, comma-separated, and which rows are not to be trusted."""
    import numpy as np
    import pyarrow as pa

    # Without any description there is nothing to be cut off.
    cut = cut_off(description) if scores.posting_basis.any() else np.zeros(len(description), bool)
    bits = np.zeros(len(cut), np.int32)
    for k, doubt in enumerate(doubts(scores, cut)):
        bits |= np.asarray(doubt, np.int32) << k
    flags = pa.DictionaryArray.from_arrays(bits, pa.array(_SETS)).cast(pa.string())
    distrusted = sum(1 << k for k, f in enumerate(FLAGS) if f in DISTRUSTED)
    return flags, (bits & distrusted) != 0
