"""What no schema says of a report and its readers rely on."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from lxml import etree

DAY = 86_400
# RFC 9990, section 3.1.3.
MOST_SIGNATURES = 100
# RFC 1035, section 2.3.4, in text.
LONGEST_NAME = 253
# A name that is an IPv4 address has a reader refuse the whole report.
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
NAMES = ("identifiers/header_from", "auth_results/dkim/domain", "auth_results/dkim/selector", "auth_results/spf/domain")


def check_guidance(tree: etree._Element, expected: dict) -> Iterator[str]:
    for name, wanted in expected.get("metadata", {}).items():
        if (text := tree.findtext(path(f"report_metadata/{name}"))) != wanted:
            yield f"metadata: {name} is {text!r}, expected {wanted!r}"
    begin, end = (int(tree.findtext(path(f"report_metadata/date_range/{name}"), "0")) for name in ("begin", "end"))
    if not 0 <= end - begin < DAY:
        yield f"period: from {begin} to {end}"
    seen: set[bytes] = set()
    for number, record in enumerate(tree.iterfind(path("record")), 1):
        yield from (f"record {number}: {problem}" for problem in check_record(record, expected["profile"]))
        count = record.find(path("row/count"))
        count.text = ""
        content = etree.tostring(record, with_tail=False)
        # RFC 9990, section 3.1.1.7. The older profile has fewer words, so two rows may look alike in it.
        if expected["profile"] == "rfc9990" and content in seen:
            yield f"record {number}: is like another"
        seen.add(content)


def check_record(record: etree._Element, profile: str) -> Iterator[str]:
    for name in NAMES:
        for element in record.iterfind(path(name)):
            if not 0 < len(element.text or "") <= LONGEST_NAME or ADDRESS.fullmatch(element.text):
                yield f"{name} is {element.text!r}"
    if int(record.findtext(path("row/count"), "0")) < 1:
        yield "counts nothing"
    source = ip_address(record.findtext(path("row/source_ip"), ""))
    if source.version == 6 and source.ipv4_mapped:
        yield f"source_ip is {source}, which is IPv4"
    if len(record.findall(path("auth_results/dkim"))) > MOST_SIGNATURES:
        yield f"has more than {MOST_SIGNATURES} signatures"
    # The older schema asks for one. Without a domain that SPF judged there is no result.
    if len(record.findall(path("auth_results/spf"))) not in ((1,) if profile == "compat-7489" else (0, 1)):
        yield "has not one SPF result"


def path(names: str) -> str:
    """A path of whatever namespace."""
    return "/".join(f"{{*}}{name}" for name in names.split("/"))
