"""Mail from outside: a producer that never pauses, and a reader of committed records that keeps the tally."""

import json
import threading
import time
from itertools import count
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from processes import wait_until
from tally import Tally

MESSAGE = (Path(__file__).resolve().parents[2] / "examples/message.eml").read_bytes()
# Kinds of mail in turn: the attributes of a message from example.org, and what must come of it with examples/zone.json.
KINDS = (
    ({"ce_clientip": "198.51.100.7", "ce_mailfrom": "ann@example.org"}, "PASS"),
    ({"ce_clientip": "203.0.113.5", "ce_mailfrom": "ann@example.org"}, "FAIL"),
    ({"ce_clientip": "198.51.100.7", "ce_authenticated": "true"}, "GRAY"),
    ({"ce_clientip": "198.51.100.7:25"}, "attribute_clientip"),
)
EXPECTED = "expected"  # a header that nobody but this test knows; records of others have none


class Mail:
    """The load on one set of topics, and its tally."""

    def __init__(self, brokers, prefix="", rate=20):
        self.brokers, self.prefix, self.pause = brokers, prefix, 1 / rate
        self.tally = Tally()
        self.delivered = []  # places of the records that the brokers have
        self.lock = threading.Lock()
        self.first_verdict = None
        self.fault = None
        self.writing = threading.Event()
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._guarded, args=(run,), daemon=True) for run in (self._write, self._read)]

    def start(self):
        """Reads from now on, and writes; the topics need not be there yet."""
        self.writing.set()
        for thread in self.threads:
            thread.start()

    def stop_writing(self):
        self.writing.clear()
        self.threads[0].join(120)
        assert not self.threads[0].is_alive(), "the producer does not end"

    def end(self):
        self.writing.clear()
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def settle(self, patience=300):
        """Every record that was written before this call has exactly one outcome, the right one."""
        with self.lock:
            before = list(self.delivered)
        assert before, self.fault or "nothing was written"
        wait_until(
            f"an outcome of each of {len(before)} records", lambda: self._settled(before), patience,
            describe=lambda: f"(without: {self._without(before)[:10]})")
        return len(before)

    def reported(self, patience=300):
        """Once nothing is written: every failure is in exactly one report."""
        wait_until("every failure is in a report", self._all_reported, patience)
        return self.tally.failures, len(self.tally.reported)

    def _settled(self, places):
        if self.fault:
            raise AssertionError(self.fault)
        with self.lock:
            problems = self.tally.problems()
            assert not problems, "\n".join(problems[:10])
        return not self._without(places)

    def _without(self, places):
        with self.lock:
            return [place for place in places if place not in self.tally.sent or place not in self.tally.outcomes]

    def _all_reported(self):
        with self.lock:
            problems, unknown = self.tally.problems(), self.tally.unknown()
            assert not problems and not unknown, f"{problems[:10]} {unknown[:10]}"
            return not self.tally.missing() and self.tally.all_reported()

    def _guarded(self, run):
        try:
            run()
        except Exception as error:  # whoever waits shows it
            self.fault = f"{run.__name__.strip('_')}: {error!r}"

    def _write(self):
        # It outlives a restart of the broker, and idempotence keeps a record from being written twice.
        producer = Producer({
            "bootstrap.servers": self.brokers, "enable.idempotence": True, "linger.ms": 20, "message.timeout.ms": 300_000,
            "log_level": 0, "topic.metadata.refresh.interval.ms": 1000, "topic.metadata.propagation.max.ms": 300_000,
        })
        topic = f"{self.prefix}mail.raw"
        for number in count():
            if not self.writing.is_set():
                break
            attributes, expected = KINDS[number % len(KINDS)]
            headers = {"ce_id": f"{number}", EXPECTED: expected} | attributes
            producer.produce(topic, key=str(number), value=MESSAGE, headers=headers, on_delivery=self._delivered)
            producer.poll(0)
            time.sleep(self.pause)
        assert producer.flush(120) == 0, "records are still on their way"

    def _delivered(self, error, record):
        if error:
            self.fault = f"a record was not written: {error}"
            return
        with self.lock:
            self.delivered.append((record.topic(), record.partition(), record.offset()))

    def _read(self):
        # Partitions are assigned by hand: membership of a group would be over when the broker is away for long, and all read again.
        consumer = Consumer({
            "bootstrap.servers": self.brokers, "group.id": "outside", "isolation.level": "read_committed", "enable.auto.commit": False,
            "log_level": 0,
        })
        consumer.assign(self._partitions(consumer))
        while not self.ended.is_set():
            record = consumer.poll(0.2)
            if record is None:
                continue
            if record.error():
                known = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)
                assert record.error().code() in known or record.error().retriable(), record.error()
                continue
            with self.lock:
                self._take(record)
        consumer.close()

    def _partitions(self, consumer):
        """All partitions of the topics from their beginning, once the topics are there."""
        names = [f"{self.prefix}mail.{name}" for name in ("raw", "verdicts", "dead-letters", "reports")]
        while not self.ended.is_set():
            topics = consumer.list_topics(timeout=60).topics
            if all(name in topics for name in names):
                return [TopicPartition(name, number, OFFSET_BEGINNING) for name in names for number in topics[name].partitions]
            time.sleep(0.2)
        return []

    def _take(self, record):
        headers = {name: value.decode(errors="replace") for name, value in record.headers() or [] if value is not None}
        if record.topic().endswith("mail.raw"):
            self.tally.add_sent((record.topic(), record.partition(), record.offset()), headers.get(EXPECTED))
        elif record.topic().endswith("mail.verdicts"):
            came_from = json.loads(record.value())["input"]
            place = came_from["topic"], came_from["partition"], came_from["offset"]
            self.tally.add_outcome(place, headers["ce_dmarcverdict"])
            self.first_verdict = self.first_verdict or time.monotonic()
        elif record.topic().endswith("mail.dead-letters"):
            place = tuple(headers[f"verdmarc-origin-{part}"] for part in ("topic", "partition", "offset"))
            self.tally.add_outcome((place[0], int(place[1]), int(place[2])), headers["verdmarc-reason"])
        elif headers["ce_type"] == "verdmarc.report.v1":
            self.tally.add_report((headers["ce_id"], headers["ce_part"]), int(headers["ce_messages"]))
