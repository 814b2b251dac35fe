"""Land the topics in the lake: `python land.py --bootstrap HOST:PORT`, again and again; each run goes on where the last committed.

Rows and positions are one DuckDB transaction, so a kill at any point loses nothing and doubles nothing. A position is an offset *and* the id
of the topic that it is of: an offset of a topic that was deleted and created anew means nothing, so that topic is read from its beginning, and
`ce_id` tells which of its records are known.
"""

# pyright: reportMissingImports=false
import argparse
import json
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

import contract
import lake as lakes
from booking_contracts.decode import Record
from booking_contracts.records import from_confluent
from booking_contracts.topics import ERASURES, topic_named

PATIENCE = 60.0
"""Seconds without a record or an answer, though there are more: then the run ends with a sentence. Nothing is lost by that."""
BATCH = 5_000

TOLD_AGAIN = [name for name in lakes.EVENT if name not in {"topic", "ce_id", "recorded_at"}]
"""What `--again` writes anew: all but a row's identity, and when it was first recorded, by which an erasure goes."""

_GONE = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


class Moved(Exception):
    """A topic is no longer the one that we began to read, or has no longer what we were to read: begin again."""


class Landing:
    """One lake, one broker."""

    def __init__(self, chosen: argparse.Namespace):
        self.prefix, self.follow, self.batch = chosen.prefix, chosen.follow, chosen.batch
        self.again = chosen.again
        client = {"bootstrap.servers": chosen.bootstrap, **dict(chosen.option)}
        self.admin = AdminClient(client)
        # Offsets are the lake's: the group is only a name, nothing is committed to Kafka, and Kafka's defaults choose no position for us.
        group = {"group.id": "analytics-lake", "enable.auto.commit": False, "auto.offset.reset": "error"}
        self.consumer = Consumer({**client, **group, "enable.partition.eof": True})
        self.con = lakes.opened(chosen.lake)
        self.read = self.new = self.aside = self.mended = 0
        if self.again:
            self.con.execute("DELETE FROM landed.position")

    def run(self) -> None:
        self.read_the_unread()
        while True:
            try:
                return self.land()
            except Moved as moved:
                say(f"{moved}: beginning again.")

    def land(self) -> None:
        ids = self.topic_ids()
        waiting = self.starts(ids)
        ends = {place: end for place, (_, end) in waiting.items()}
        total, began = sum(end - start for start, end in waiting.values()), time.monotonic()
        heard = began
        while waiting or self.follow:
            batch = self.records(waiting, ends)
            if batch:
                # After the reading, before the commit: were these records those of another topic by the same name?
                if self.topic_ids() != ids:
                    raise Moved("A topic was replaced while it was read")
                self.commit(batch, ids)
                heard = time.monotonic()
                progress(self.read, total, began)
            elif waiting and time.monotonic() - heard > PATIENCE:
                raise SystemExit(f"Kafka gave nothing for {PATIENCE:.0f} s, though {len(waiting)} partitions have more. Run it again: what is landed stays.")
        seconds = time.monotonic() - began
        say(f"Landed {self.new:,} new of {self.read:,} records in {seconds:.1f} s ({self.read / max(seconds, 0.001):,.0f} a second).")
        if self.aside:
            say(f"{self.aside:,} of them can't be read by this release of the contracts, and are kept with the reason: SELECT * FROM landed.unread")
        if self.again:
            say(f"{self.mended:,} rows said something else than their records do, as this release reads them: written anew.")

    def records(self, waiting: dict, ends: dict) -> list[Message]:
        """What is there next, within the ends unless we follow; partitions that are read to their ends are struck off those that wait."""
        batch = []
        for message in self.consumer.consume(self.batch, timeout=1.0):
            place, error = (message.topic(), message.partition()), message.error()
            if error is not None:
                if error.code() in _GONE:
                    raise Moved(f"{place[0]} has no longer what was to be read ({error.name()})")
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                waiting.pop(place, None)  # a compacted topic's last offsets may hold no record
            elif self.follow or message.offset() < ends.get(place, 0):
                batch.append(message)
                if place in waiting and message.offset() + 1 >= ends[place]:
                    del waiting[place]
        return batch

    def topic_ids(self) -> dict[str, tuple[str, int]]:
        """Of each topic that is there: its id, and how many partitions it has."""
        names = [self.prefix + topic.name for topic in contract.LANDED]
        answers, found = self.admin.describe_topics(TopicCollection(names), request_timeout=PATIENCE), {}
        for name in names:
            try:
                described = answers[name].result(PATIENCE)
                found[name] = (str(described.topic_id), len(described.partitions))
            except KafkaException as refused:
                if refused.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise SystemExit(f"{name}: {refused.args[0].str()}") from None
        return found

    def starts(self, ids: dict[str, tuple[str, int]]) -> dict[tuple[str, int], tuple[int, int]]:
        """Assign each partition at the position to go on from; answers those that have records now, with their first and their end.

        What follows is asked for its end before what it follows from: sessions before purchases. So a run lands no effect without its cause.
        """
        if not ids:
            raise SystemExit(f"None of the topics is there under the prefix {self.prefix!r}: another --prefix, or another broker?")
        for topic in contract.LANDED:
            if self.prefix + topic.name not in ids:
                say(f"{topic.name} is not there: nothing of it is read")
        rows = self.con.execute("SELECT topic, partition, topic_id, next_offset FROM landed.position").fetchall()
        known = {(topic, partition): (topic_id, offset) for topic, partition, topic_id, offset in rows}
        assigned, waiting = [], {}
        for name, (topic_id, partitions) in reversed(ids.items()):
            logical = name.removeprefix(self.prefix)
            for number in range(partitions):
                low, high = self.consumer.get_watermark_offsets(TopicPartition(name, number), timeout=PATIENCE)
                of, start = known.get((logical, number), (topic_id, low))
                if of != topic_id:
                    say(f"{logical}[{number}] was created anew: read from its beginning; what is known stays as it is")
                    start = low
                elif start > high:
                    say(f"{logical}[{number}] ends at {high}, before {start} where we were: read from its beginning")
                    start = low
                elif start < low:
                    say(f"{logical}[{number}]: {low - start:,} records were deleted by their age before they were read")
                    start = low
                assigned.append(TopicPartition(name, number, start))
                if start < high:
                    waiting[name, number] = (start, high)
        self.consumer.assign(assigned)
        return waiting

    def commit(self, messages: list[Message], ids: dict[str, tuple[str, int]]) -> None:
        """What these records say, and where the next ones are: all of it or nothing."""
        events, unread, positions = [], [], {}
        for message in messages:
            record, (topic_id, _) = from_confluent(message, self.prefix), ids[message.topic()]
            positions[record.topic, record.partition] = (record.topic, record.partition, topic_id, record.offset + 1)
            event, why = contract.read(record)
            if event:
                events.append(event)
            else:
                headers = json.dumps([(name, (value or b"").decode("latin-1")) for name, value in record.headers])
                place = (record.topic, topic_id, record.partition, record.offset)
                unread.append((*place, record.key, headers, record.value, record.timestamp_ms, why))
        with lakes.transaction(self.con):
            self.insert(events)
            if unread:
                self.con.executemany(f"INSERT OR REPLACE INTO landed.unread VALUES ({', '.join('?' * len(lakes.UNREAD))})", unread)
            self.con.executemany("INSERT OR REPLACE INTO landed.position VALUES (?, ?, ?, ?)", list(positions.values()))
        self.read, self.aside = self.read + len(messages), self.aside + len(unread)

    def insert(self, events: list[tuple]) -> None:
        """Each event once. Read from the beginning on purpose, what is known is written anew, as this release reads it."""
        if not events:
            return
        batch = {name: np.array(column, dtype=object) for name, column in zip(lakes.EVENT, zip(*events, strict=True), strict=True)}
        self.con.register("read", batch)
        typed = ", ".join(f"{name}::{kind} AS {name}" for name, kind in lakes.EVENT.items())
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS SELECT DISTINCT ON (topic, ce_id) {typed} FROM read")
        new = "NOT EXISTS (SELECT 1 FROM landed.event e WHERE e.topic = b.topic AND e.ce_id = b.ce_id)"
        self.new += self.con.execute(f"SELECT count(*) FROM batch b WHERE {new}").fetchone()[0]
        changed = f"INSERT INTO landed.changed SELECT DISTINCT topic, {lakes.MONTH} FROM batch b WHERE $again OR {new} ON CONFLICT DO NOTHING"
        self.con.execute(changed, {"again": self.again})
        if self.again:
            self.mended += self.differing()
        anew = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in TOLD_AGAIN)}" if self.again else "NOTHING"
        self.con.execute(f"INSERT INTO landed.event SELECT * FROM batch ON CONFLICT DO {anew}")
        if any(topic == ERASURES.name or topic_named(topic).compacted for topic, *_ in events):
            lakes.forget(self.con)

    def differing(self) -> int:
        """How many rows of the lake do not say what the batch says; the Parquet files that they stand in are behind."""
        other = " OR ".join(f"e.{name} IS DISTINCT FROM b.{name}" for name in TOLD_AGAIN)
        differs = f"FROM landed.event e JOIN batch b USING (topic, ce_id) WHERE {other}"
        self.con.execute(f"INSERT INTO landed.changed SELECT DISTINCT topic, strftime(e.happened_at, '%Y-%m') {differs} ON CONFLICT DO NOTHING")
        return self.con.execute(f"SELECT count(*) {differs}").fetchone()[0]

    def read_the_unread(self) -> None:
        """A newer release of the contracts may read what the last could not."""
        rows = self.con.execute("SELECT * FROM landed.unread").fetchall()
        found = []
        for topic, topic_id, partition, offset, key, headers, value, timestamp_ms, _ in rows:
            pairs = tuple((name, text.encode("latin-1")) for name, text in json.loads(headers))
            event, _ = contract.read(Record(topic, partition, offset, key, value, pairs, timestamp_ms))
            if event:
                found.append((event, (topic, topic_id, partition, offset)))
        if found:
            with lakes.transaction(self.con):
                self.insert([event for event, _ in found])
                delete = "DELETE FROM landed.unread WHERE topic = ? AND topic_id = ? AND partition = ? AND record_offset = ?"
                self.con.executemany(delete, [place for _, place in found])
        if left := len(rows) - len(found):
            say(f"{left:,} records can't be read by this release of the contracts: SELECT * FROM landed.unread")


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


_told = 0.0


def progress(read: int, total: int, began: float) -> None:
    """One line on a terminal, twice a second; a line each ten seconds where a log takes it."""
    global _told
    now, live = time.monotonic(), sys.stderr.isatty()
    if now - _told > (0.5 if live else 10):
        _told = now
        line = f"  {read:,} of {total:,} records, {read / max(now - began, 0.001):,.0f} a second"
        print(f"\r\x1b[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)


def option(text: str) -> tuple[str, str]:
    name, is_, value = text.partition("=")
    if not is_:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT", help="a broker")
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="the lake's folder [lake]")
    parser.add_argument("--prefix", default="", help="what the deployment puts before each topic's name (TOPIC_PREFIX)")
    parser.add_argument("--follow", action="store_true", help="go on until interrupted; else end at the topics' present ends")
    parser.add_argument("--again", action="store_true", help="read all from the beginning, and write what is known anew")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"records of a transaction, at most [{BATCH}]")
    parser.add_argument(
        "--option",
        type=option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of librdkafka, such as security.protocol=SSL",
    )
    try:
        Landing(parser.parse_args()).run()
    except duckdb.Error as broken:
        raise SystemExit(f"The lake can't be written: {broken}. Run it again once it can: what is landed stays.") from None
    except KafkaException as broken:
        raise SystemExit(f"Kafka can't be used: {broken.args[0].str()}. Run it again: what is landed stays.") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
