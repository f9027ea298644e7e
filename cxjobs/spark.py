"""The same answers on a Spark cluster: one model a worker, frames in, frames out.

Nothing here is distributed by hand: Spark parts the rows, `mapInPandas` brings them, and
`cxjobs.answer.Model.classify` answers as it does on one machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxjobs.answer import COLUMNS, NUMBERS, load_model
from cxjobs.errors import CxjobsError, DataError
from cxjobs.naming import own_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


def classify(
    df: Any,
    *,
    model: str | None = None,
    precision: float | None = None,
    max_lost: float | None = None,
) -> Any:
    """Answer for every row of a Spark DataFrame.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        With ``title`` and, optionally, ``description``; null is empty text.
    model : str, optional
        Model folder that every worker can read; by default the one that comes with the package.
    precision, max_lost : float, optional
        As for `cxjobs.load_model`.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns of `df`, then those of the answer, prefixed ``cxjobs_`` where the name is
        taken. Evaluated by Spark when it is used.

    Raises
    ------
    CxjobsError
        If PySpark is not installed.
    DataError
        If there is no column ``title``.
    ModelError
        If the model cannot be loaded here; workers load it once each.
    """
    try:
        from pyspark.sql.types import DoubleType, StringType, StructField, StructType
    except ImportError:
        raise CxjobsError("PySpark is not installed. Try: pip install 'cxjobs[spark]'.") from None
    if "title" not in df.columns:
        raise DataError(
            f"The DataFrame has no column 'title' (it has: {', '.join(df.columns)}). "
            "Try: df.withColumnRenamed('...', 'title')."
        )
    asked = {"precision": precision, "max_lost": max_lost}
    load_model(model, **asked)
    answers = [
        StructField(
            own,
            DoubleType() if name in NUMBERS else StringType(),
        )
        for name, own in zip(COLUMNS, own_names(COLUMNS, df.columns), strict=True)
    ]

    def answer(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        loaded = load_model(model, **asked)
        for frame in frames:
            yield loaded.classify(frame)

    return df.mapInPandas(answer, StructType([*df.schema.fields, *answers]))
