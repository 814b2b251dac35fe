"""The landing as Spark Structured Streaming, for those who outgrow one machine: topics to Parquet, a folder for each topic and month.

    spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0 warehouse/spark.py --bootstrap kafka:9092 --lake s3a://lake

Rows are those of `land.py`, made by the same function. What differs: Spark keeps offsets by the topic's name in its checkpoint, so after a topic was made
anew it stops (`failOnDataLoss`): delete the checkpoint and start again. A file is written at least once, so whoever reads takes each `(topic, ce_id)`
once: `SELECT DISTINCT ON (topic, ce_id) * FROM read_parquet('lake/*/*/*.parquet', hive_partitioning = true)`. Erasing is rewriting the files of a month.
"""

# pyright: reportMissingImports=false
import argparse
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, date_format, udf

sys.path.insert(0, str(Path(__file__).parents[1]))

import contract
from booking_contracts.decode import Record

ROW = """topic string, key string, ce_id string, ce_sequence long, type string, version int, happened_at string, recorded_at string,
actor string, correlation_id string, causation_id string, data string"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--lake", required=True, help="where Parquet and checkpoint go")
    parser.add_argument("--prefix", default="", help="what the deployment puts before each topic's name")
    chosen = parser.parse_args()
    prefix = chosen.prefix

    def row(topic, partition, offset, key, value, headers, millis):  # noqa: PLR0917 - Spark calls it by position
        pairs = tuple((one.key, None if one.value is None else bytes(one.value)) for one in headers or ())
        found, _ = contract.read(
            Record(topic.removeprefix(prefix), partition, offset, key and bytes(key), None if value is None else bytes(value), pairs, millis)
        )
        return found

    spark = SparkSession.builder.appName("booking-landing").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.addPyFile(contract.__file__)  # to whoever decodes; booking-contracts is installed there
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", chosen.bootstrap)
    source = source.option("subscribe", ",".join(prefix + topic.name for topic in contract.LANDED))
    source = source.option("startingOffsets", "earliest").option("includeHeaders", "true").option("groupIdPrefix", "analytics-spark")
    told = udf(row, ROW)("topic", "partition", "offset", "key", "value", "headers", (col("timestamp").cast("double") * 1000).cast("long"))
    rows = source.load().select(told.alias("event")).where("event is not null").select("event.*")
    for instant in ("happened_at", "recorded_at"):
        rows = rows.withColumn(instant, col(instant).cast("timestamp"))
    rows = rows.withColumn("month", date_format("happened_at", "yyyy-MM"))
    sink = rows.writeStream.format("parquet").partitionBy("topic", "month").option("path", f"{chosen.lake}/parquet")
    # To the present ends, then stop: run it again for what is new. A long-running one has processingTime instead.
    sink.option("checkpointLocation", f"{chosen.lake}/checkpoint").trigger(availableNow=True).start().awaitTermination()


if __name__ == "__main__":
    main()
