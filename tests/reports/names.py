"""The file name and the subject of a report, taken apart by the grammar of names.abnf."""

from collections.abc import Iterator
from pathlib import Path

from abnf import Node, ParseError, Rule


class Names(Rule):
    """The rules of names.abnf."""


Names.from_file(Path(__file__).with_name("names.abnf"))


def take_apart(rule: str, text: str) -> dict[str, str] | None:
    """The text of each rule that was used, or nothing for a text which is not of the grammar."""
    try:
        tree = Names(rule).parse_all(text)
    except ParseError:
        return None
    return {node.name: node.value for node in walk(tree)}


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def check_file_name(name: str, expected: dict) -> Iterator[str]:
    parts = take_apart("filename", name)
    if parts is None:
        yield "file name: not of the grammar"
        return
    wanted = {
        "receiver": expected["submitter"],
        "policy-domain": expected["policyDomain"],
        "begin-timestamp": str(expected["begin"]),
        "end-timestamp": str(expected["end"]),
        "extension": "xml.gz",
    }
    # RFC 9990, section 3.1.4: identical where both are used.
    if "unique-id" in parts:
        wanted["unique-id"] = expected["reportId"]
    yield from differences("file name", parts, wanted)


def check_subject(subject: str, expected: dict) -> Iterator[str]:
    parts = take_apart("dmarc-subject", subject)
    if parts is None:
        yield f"subject: not of the grammar: {subject!r}"
        return
    wanted = {"about": expected["policyDomain"], "submitter": expected["submitter"], "ridfmt": expected["reportId"]}
    yield from differences("subject", parts, wanted)


def differences(where: str, parts: dict[str, str], wanted: dict[str, str]) -> Iterator[str]:
    for part, value in wanted.items():
        if parts.get(part) != value:
            yield f"{where}: {part} is {parts.get(part)!r}, expected {value!r}"
