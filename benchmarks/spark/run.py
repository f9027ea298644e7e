"""Spark on this machine against one plain process, on the same Parquet file."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from cxjobs import spark
from cxjobs.answer import load_model

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    table = pd.read_csv(ROOT / "data" / "labeled_jobs.csv", dtype=str, keep_default_na=False)
    told = table.loc[table["basis"] == "posting", ["title", "description"]]
    copies = -(-asked.rows // len(told))
    frame = pd.concat([told] * copies, ignore_index=True).iloc[: asked.rows]

    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "postings.parquet")
        frame.to_parquet(source, index=False)
        start = time.perf_counter()
        session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        session = session.config("spark.driver.host", "127.0.0.1").getOrCreate()
        print(f"start of Spark: {time.perf_counter() - start:.1f} s")
        for number in range(asked.rounds):
            start = time.perf_counter()
            far = spark.classify(session.read.parquet(source).repartition(4))
            far.write.mode("overwrite").parquet(f"{folder}/far")
            middle = time.perf_counter()
            load_model().classify(pd.read_parquet(source)).to_parquet(f"{folder}/near.parquet")
            end = time.perf_counter()
            print(
                f"round {number + 1}, {len(frame)} rows: Spark, 2 workers {middle - start:.1f} s, "
                f"plain process {end - middle:.1f} s, ratio {(middle - start) / (end - middle):.1f}"
            )
        session.stop()


if __name__ == "__main__":
    main()
