"""Checks reports against the standards and against what others read in them.

Every DIR/*.xml.gz must have a neighbour of the same name and `.json` that says what is in the report. It may say what elements of
`report_metadata` hold, null for one that must not be there, and the subject.
"""

import argparse
import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import guidance
import names
import readers
from lxml import etree

CONFORMANCE = Path(__file__).resolve().parents[1] / "conformance"
SCHEMAS = {"rfc9990": "rfc9990-dmarc-2.0.xsd", "compat-7489": "rfc7489-no-namespace.xsd"}
FIELDS = {"reportId", "policyDomain", "begin", "end", "profile", "rows", "messages", "byDisposition", "sumsBySource", "submitter"}
UNKNOWN_SYSTEM = 255


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    return check_all(parser.parse_args().directory)


def check_all(directory: Path) -> int:
    schemas = {profile: etree.XMLSchema(file=str(CONFORMANCE / name)) for profile, name in SCHEMAS.items()}
    paths = sorted(directory.glob("*.xml.gz"))
    totals: Counter[str] = Counter()
    errors = find_lonely(directory, paths)
    for path in paths:
        errors += [f"{path.name}: {error}" for error in check(path, schemas, totals)]
    for error in errors:
        print(error)
    print(summarize(len(paths), totals, len(errors)))
    if not paths:
        print(f"no reports in {directory}", file=sys.stderr)
    return 1 if errors or not paths else 0


def find_lonely(directory: Path, paths: list[Path]) -> list[str]:
    """Expectations without a report; a report without an expectation is found when it is checked."""
    reports = {path.name for path in paths}
    return [f"{path.name}: has no report" for path in sorted(directory.glob("*.xml.gz.json")) if path.stem not in reports]


def check(path: Path, schemas: dict[str, etree.XMLSchema], totals: Counter[str]) -> Iterator[str]:
    try:
        expected = load_expectation(path)
    except (OSError, ValueError) as error:
        yield f"expectation: {error}"
        return
    totals.update(rows=expected["rows"], messages=expected["messages"])
    content = path.read_bytes()
    yield from names.check_file_name(path.name, expected)
    if "subject" in expected:
        yield from names.check_subject(expected["subject"], expected)
    yield from check_gzip(content)
    yield from check_document(content, schemas[expected["profile"]], expected)
    for reader in readers.READERS:
        yield from check_reader(reader, content, expected, totals)


def load_expectation(path: Path) -> dict:
    expected = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
    if FIELDS - expected.keys() or expected["profile"] not in SCHEMAS:
        raise ValueError(f"needs {', '.join(sorted(FIELDS))} and as profile one of {', '.join(SCHEMAS)}")
    sources: Counter[str] = Counter()
    for source, count in expected["sumsBySource"].items():
        sources[str(ip_address(source))] += count
    dispositions = {name: count for name, count in expected["byDisposition"].items() if count}
    if not expected["messages"] == sources.total() == sum(dispositions.values()):
        raise ValueError("its sums contradict each other")
    return {**expected, "sumsBySource": dict(sources), "byDisposition": dispositions}


def check_gzip(content: bytes) -> Iterator[str]:
    """The same report must always be the same bytes, so its header tells nothing of when and where (RFC 1952)."""
    if any(content[4:8]):
        yield "gzip: has a time"
    if content[9:10] != bytes([UNKNOWN_SYSTEM]):
        yield f"gzip: names an operating system: {content[9:10].hex()}"


def check_document(content: bytes, schema: etree.XMLSchema, expected: dict) -> Iterator[str]:
    try:
        tree = etree.fromstring(gzip.decompress(content), etree.XMLParser(resolve_entities=False, no_network=True))
    except (OSError, EOFError, zlib.error, etree.XMLSyntaxError) as error:
        yield f"xml: {error}"
        return
    if schema.validate(tree):
        yield from guidance.check_guidance(tree, expected)
    else:
        yield from (f"schema: line {error.line}: {error.message}" for error in schema.error_log)


def check_reader(reader: readers.Reader, content: bytes, expected: dict, totals: Counter[str]) -> Iterator[str]:
    limits = [limit for limit in readers.LIMITS if limit.reader == reader.name and limit.applies(expected)]
    try:
        facts = reader.read(content)
    # Others fail in ways of their own, and each is an answer.
    except Exception as error:
        if any(isinstance(error, limit.error) for limit in limits):
            totals[f"not read by {reader.name} by rule"] += 1
        else:
            yield f"{reader.name}: {type(error).__name__}: {error}"
        return
    if limits:
        yield f"{reader.name}: has read what LIMITS says it cannot"
    for field, value in facts.items():
        if value != expected[field]:
            yield f"{reader.name}: {field} is {value!r}, expected {expected[field]!r}"


def summarize(files: int, totals: Counter[str], errors: int) -> str:
    versions = dict.fromkeys(f"{reader.package} {reader.version}" for reader in readers.READERS)
    by_rule = [f"{count} {what}" for what, count in totals.items() if what.startswith("not read")]
    counts = [f"{files} files", f"{totals['rows']} rows", f"{totals['messages']} messages", *by_rule, f"{errors} errors"]
    return f"{', '.join(counts)}; read by {', '.join(versions)}"


if __name__ == "__main__":
    sys.exit(main())
