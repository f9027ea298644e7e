"""Answer for the postings of a Parquet file: spark-submit answer_on_spark.py INPUT OUTPUT."""

import sys

from pyspark.sql import SparkSession

from cxjobs import spark

if __name__ == "__main__":
    source, target = sys.argv[1:]
    session = SparkSession.builder.appName("cxjobs").getOrCreate()
    answered = spark.classify(session.read.parquet(source))
    answered.write.mode("overwrite").parquet(target)
    session.read.parquet(target).groupBy("label").count().orderBy("label").show()
    session.stop()
