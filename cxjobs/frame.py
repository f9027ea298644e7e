"""The door for data frames: find the texts of a posting, or say what is wrong with the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxjobs.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def titles_and_descriptions(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Raw titles and descriptions of a frame; what is missing is empty text.

    Raises
    ------
    DataError
        If there is no column ``title``, or a value is not text.

    Examples
    --------
    >>> import pandas as pd
    >>> titles_and_descriptions(pd.DataFrame({"title": ["Head of CX", None]}))
    (['Head of CX', ''], ['', ''])
    """
    if "title" not in frame.columns:
        listed = ", ".join(map(str, frame.columns)) or "none"
        raise DataError(
            f"The frame has no column 'title' (it has: {listed}). "
            "Try: frame.rename(columns={'...': 'title'})."
        )
    found = []
    for column in ("title", "description"):
        values = frame[column].tolist() if column in frame.columns else [""] * len(frame)
        found.append(texts(values, column))
    return found[0], found[1]


def texts(values: list[object], column: str) -> list[str]:
    """Values of one column as text; None, NaN and NA are empty.

    Raises
    ------
    DataError
        If a value is neither text nor missing.
    """
    out = []
    for i, value in enumerate(values):
        if isinstance(value, str):
            out.append(value)
        elif _missing(value):
            out.append("")
        else:
            raise DataError(f"Row {i}, column {column}: {value!r} is not text.")
    return out


def _missing(value: object) -> bool:
    import pandas as pd

    return pd.api.types.is_scalar(value) and bool(pd.isna(value))  # type: ignore[call-overload]
