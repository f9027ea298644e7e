"""Spark gives the local answers, row for row; skipped where PySpark or Java is absent."""

import os
import shutil
import sys

import pandas as pd
import pytest

from cxjobs.answer import COLUMNS, load_model
from cxjobs.errors import DataError, ModelError

pyspark = pytest.importorskip("pyspark", reason="the extra 'spark' is not installed")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java", allow_module_level=True)

from pyspark.sql import SparkSession  # noqa: E402

from cxjobs import spark  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def session():
    os.environ["PYSPARK_PYTHON"] = sys.executable
    built = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    yield built
    built.stop()


def postings() -> pd.DataFrame:
    titles = ["Head of CX", "Call Center Agent", "<b>UX</b> Designer", "Barista", ""]
    told = ["You map journeys &amp; run the programme.", None, "Figma", "", ""]
    rows = 40
    return pd.DataFrame(
        {
            "id": range(rows),
            "label": ["theirs"] * rows,
            "title": [titles[i % 5] for i in range(rows)],
            "description": [told[i % 5] for i in range(rows)],
        }
    )


def test_answers_equal_those_of_one_machine(session, tmp_path):
    frame = postings()
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    df = session.read.parquet(str(tmp_path / "in.parquet")).repartition(3)
    far = spark.classify(df).toPandas().sort_values("id").reset_index(drop=True)
    near = load_model().classify(frame)
    assert list(far.columns) == list(near.columns)
    assert "cxjobs_label" in far.columns
    pd.testing.assert_frame_equal(far, near, check_dtype=False)


def test_schema_is_declared_before_anything_runs(session):
    df = session.createDataFrame(postings()[["title"]])
    types = dict(spark.classify(df).dtypes)
    assert [c for c in types if c != "title"] == list(COLUMNS)
    assert types["cx_probability"] == "double"
    assert types["practice"] == "string"


def test_wrong_use_is_told_before_anything_runs(session):
    df = session.createDataFrame(pd.DataFrame({"name": ["x"]}))
    with pytest.raises(DataError, match=r"no column 'title'.*name"):
        spark.classify(df)
    with pytest.raises(ModelError, match="not a model folder"):
        spark.classify(df.withColumnRenamed("name", "title"), model="nowhere")
