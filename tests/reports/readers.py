"""Programs of others that read aggregate reports, and what each makes of one."""

import gzip
import logging
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from importlib.metadata import version
from ipaddress import ip_address

import parsedmarc
from dmarc.report import DMARC2Schema, DMARCSchema
from dmarc_metrics_exporter import deserialization as exporter
from dmarc_report.parser import DMARCParser
from parsedmarc.config import ParserConfig
from xsdata.exceptions import ConverterWarning

# parsedmarc writes the times of a report in the local time zone.
os.environ["TZ"] = "UTC"
time.tzset()
# dmarc-metrics-exporter carries on with a value that its model does not know.
warnings.simplefilter("error", ConverterWarning)

NAMESPACE = b"urn:ietf:params:xml:ns:dmarc-2.0"
OFFLINE = ParserConfig(offline=True, always_use_local_files=True)
# Our older profile has no namespace, like nearly every older report.
EXPECTED_WARNINGS = {"legacy_no_namespace"}

Facts = dict[str, object]
Row = tuple[str, str, int]


class Complaint(Exception):
    """A reader has read a report and found fault with it."""


class Log(logging.Handler):
    """What parsedmarc warns of; it also leaves out a row with no more than a warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def take(self) -> list[str]:
        said, self.said = self.said, []
        return said


LOG = Log()
logging.getLogger("parsedmarc").addHandler(LOG)
logging.getLogger("parsedmarc").propagate = False


def sum_up(rows: Iterable[Row]) -> Facts:
    """Rows of source, disposition and count, in the words of an expectation."""
    rows = list(rows)
    sources: Counter[str] = Counter()
    dispositions: Counter[str] = Counter()
    for source, disposition, count in rows:
        sources[str(ip_address(source))] += count
        dispositions[disposition] += count
    return {
        "rows": len(rows),
        "messages": sources.total(),
        "sumsBySource": dict(sources),
        "byDisposition": dict(dispositions),
    }


def read_by_parsedmarc(content: bytes) -> Facts:
    LOG.take()
    report = parsedmarc.parse_aggregate_report_file(content, config=OFFLINE)
    if said := LOG.take():
        raise Complaint("; ".join(said))
    metadata = report["report_metadata"]
    records = report["records"]
    return {
        "reportId": metadata["report_id"],
        "policyDomain": report["policy_published"]["domain"],
        "begin": to_seconds(metadata["begin_date"]),
        "end": to_seconds(metadata["end_date"]),
        **sum_up((row["source"]["ip_address"], row["policy_evaluated"]["disposition"], row["count"]) for row in records),
    }


def to_seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def read_by_dmarc_report(content: bytes) -> Facts:
    report = DMARCParser.parse_bytes(content)
    if said := [warning.message for warning in report.warnings if warning.code not in EXPECTED_WARNINGS]:
        raise Complaint("; ".join(said))
    metadata = report.report_metadata
    return {
        "reportId": metadata.report_id,
        "policyDomain": report.policy_published.domain,
        "begin": metadata.date_range.begin,
        "end": metadata.date_range.end,
        **sum_up((row.source_ip, row.policy_evaluated.disposition.value, row.count) for row in report.records),
    }


def read_by_dmarc(content: bytes) -> Facts:
    """It brings its own copies of the schemas and leaves the choice between them to its caller."""
    text = gzip.decompress(content)
    report = (DMARC2Schema if NAMESPACE in text else DMARCSchema).to_dict(text)
    metadata = report["report_metadata"]
    rows = [record["row"] for record in report["record"]]
    return {
        "reportId": metadata["report_id"],
        "policyDomain": report["policy_published"]["domain"],
        "begin": metadata["date_range"]["begin"],
        "end": metadata["date_range"]["end"],
        **sum_up((row["source_ip"], row["policy_evaluated"]["disposition"], row["count"]) for row in rows),
    }


def read_by_exporter(content: bytes) -> Facts:
    report = deserialize(content)
    metadata = report.report_metadata
    rows = [record.row for record in report.record]
    return {
        "reportId": metadata.report_id,
        "policyDomain": report.policy_published.domain,
        "begin": metadata.date_range.begin,
        "end": metadata.date_range.end,
        **sum_up((row.source_ip, row.policy_evaluated.disposition.value, row.count) for row in rows),
    }


def count_by_exporter(content: bytes) -> Facts:
    """What it counts, which is without sources."""
    dispositions: Counter[str] = Counter()
    for event in exporter.convert_to_events(deserialize(content)):
        dispositions[event.result.disposition.value] += event.count
    return {"messages": dispositions.total(), "byDisposition": dict(dispositions)}


def deserialize(content: bytes) -> exporter.dmarc_2_0.Feedback | exporter.dmarc_0_1.Feedback:
    message = EmailMessage()
    message.add_attachment(content, maintype="application", subtype="gzip", filename="report.xml.gz")
    [report] = exporter.get_aggregate_report_from_email(message)
    return report


@dataclass(frozen=True)
class Reader:
    package: str
    read: Callable[[bytes], Facts]
    step: str = ""

    @property
    def name(self) -> str:
        return f"{self.package} {self.step}".strip()

    @property
    def version(self) -> str:
        return version(self.package)


@dataclass(frozen=True)
class Limit:
    """Reports that a reader cannot read, by no fault of theirs."""

    reader: str
    error: type[Exception]
    applies: Callable[[dict], bool]


READERS = [
    Reader("parsedmarc", read_by_parsedmarc),
    Reader("dmarc-report", read_by_dmarc_report),
    Reader("dmarc", read_by_dmarc),
    Reader("dmarc-metrics-exporter", read_by_exporter),
    Reader("dmarc-metrics-exporter", count_by_exporter, "events"),
]
LIMITS = [
    # Its table of dispositions lacks `pass`, which RFC 9990 added and its own model knows.
    Limit("dmarc-metrics-exporter events", KeyError, lambda expected: "pass" in expected["byDisposition"]),
]
