"""What check.py must notice: `scripts/python --pins reports -m unittest discover tests/reports`."""

import contextlib
import gzip
import io
import json
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

import check

ID = "3f9c41d0"
BEGIN, END = 1721001600, 1721087999
NAME = f"mx.recv.example!example.com!{BEGIN}!{END}!{ID}.xml.gz"
NEW = ("rfc9990", ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"', "<discovery_method>treewalk</discovery_method>", "pass")
OLD = ("compat-7489", "", "<sp>reject</sp><pct>100</pct><fo>0</fo>", "none")

ROW = """<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>
<disposition>{disposition}</disposition><dkim>fail</dkim><spf>pass</spf></policy_evaluated></row>
<identifiers><header_from>example.com</header_from><envelope_from></envelope_from></identifiers>
<auth_results><spf><domain>example.com</domain><scope>mfrom</scope><result>pass</result></spf></auth_results></record>"""


def make_report(namespace: str, policy: str, disposition: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><feedback{namespace}><version>1.0</version><report_metadata>'
        "<org_name>Receiver</org_name><email>dmarc@recv.example</email>"
        f"<report_id>{ID}</report_id><date_range><begin>{BEGIN}</begin><end>{END}</end></date_range></report_metadata>"
        f"<policy_published><domain>example.com</domain><p>reject</p>{policy}</policy_published>"
        + ROW.format(source="192.0.2.1", count=3, disposition=disposition)
        + ROW.format(source="2001:0db8:0000:0000:0000:0000:0000:0001", count=4, disposition="reject")
        + "</feedback>"
    )


def make_expectation(profile: str, disposition: str) -> dict:
    return {
        "reportId": ID,
        "policyDomain": "example.com",
        "begin": BEGIN,
        "end": END,
        "profile": profile,
        "rows": 2,
        "messages": 7,
        "byDisposition": {disposition: 3, "reject": 4, "quarantine": 0},
        "sumsBySource": {"192.0.2.1": 3, "2001:db8::1": 4},
        "submitter": "mx.recv.example",
        "subject": f"Report Domain: example.com\r\n Submitter: mx.recv.example\r\n Report-ID: <{ID}>",
    }


def compress(text: str, system: int = 255) -> bytes:
    content = gzip.compress(text.encode(), mtime=0)
    return content[:9] + bytes([system]) + content[10:]


class CheckTest(unittest.TestCase):
    def run_check(self, files: dict[str, bytes]) -> tuple[int, str]:
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            for name, content in files.items():
                Path(directory, name).write_bytes(content)
            return check.check_all(Path(directory)), said.getvalue()

    def assert_noticed(
        self, words: str, name: str = NAME, edit: Callable[[str], str] = str, system: int = 255, **changes: object
    ) -> None:
        for profile, namespace, policy, disposition in (NEW, OLD):
            expected = make_expectation(profile, disposition) | changes
            content = compress(edit(make_report(namespace, policy, disposition)), system)
            with self.subTest(profile):
                status, said = self.run_check({name: content, f"{name}.json": json.dumps(expected).encode()})
                self.assertEqual(status, 1, said)
                self.assertIn(words, said)

    def test_right_reports_pass(self) -> None:
        for profile, namespace, policy, disposition in (NEW, OLD):
            expected = json.dumps(make_expectation(profile, disposition)).encode()
            files = {NAME: compress(make_report(namespace, policy, disposition)), f"{NAME}.json": expected}
            status, said = self.run_check(files)
            self.assertEqual(status, 0, said)
            self.assertTrue(said.startswith("1 files, 2 rows, 7 messages"), said)

    def test_wrong_facts(self) -> None:
        moved = {"192.0.2.1": 4, "2001:db8::1": 3}
        for reader in ("parsedmarc", "dmarc-report", "dmarc", "dmarc-metrics-exporter"):
            self.assert_noticed(f"{reader}: sumsBySource is", sumsBySource=moved)
            self.assert_noticed(f"{reader}: byDisposition is", byDisposition={"quarantine": 7})
            self.assert_noticed(f"{reader}: rows is 2, expected 3", rows=3)
            self.assert_noticed(f"{reader}: begin is", begin=BEGIN - 1)
            self.assert_noticed(f"{reader}: policyDomain is", policyDomain="example.net")
        self.assert_noticed("its sums contradict each other", messages=8)

    def test_wrong_names(self) -> None:
        self.assert_noticed("file name: not of the grammar", name=NAME.replace(ID, "3f9c-41d0"))
        self.assert_noticed("file name: unique-id is '0'", name=NAME.replace(ID, "0"))
        self.assert_noticed("file name: receiver is", submitter="recv.example")
        self.assert_noticed("subject: not of the grammar", subject="Report domain: example.com Submitter: mx.recv.example")
        self.assert_noticed("subject: ridfmt is None", subject="Report Domain: example.com Submitter: mx.recv.example ")

    def test_wrong_content(self) -> None:
        self.assert_noticed("xml: ", edit=lambda text: text.replace("</feedback>", ""))
        self.assert_noticed("schema: line ", edit=lambda text: text.replace(">reject</d", ">bounce</d"))
        self.assert_noticed("gzip: names an operating system: 03", system=3)

    def test_guidance(self) -> None:
        dkim = "<dkim><domain>a.example</domain><selector>s</selector><result>fail</result></dkim>"
        for words, old, new in (
            ("period: from ", f"<end>{END}<", f"<end>{BEGIN + 86_400}<"),
            ("record 1: counts nothing", "<count>3<", "<count>0<"),
            ("record 1: identifiers/header_from is None", "<header_from>example.com<", "<header_from><"),
            ("record 1: auth_results/spf/domain is ", "<spf><domain>example.com<", f"<spf><domain>{'x' * 254}<"),
            ("record 1: auth_results/dkim/selector is None", "<auth_results>", f"<auth_results>{dkim.replace('>s<', '><')}"),
            ("record 1: has more than 100 signatures", "<auth_results>", f"<auth_results>{dkim * 101}"),
            ("source_ip is ::ffff:", "2001:0db8:0000:0000:0000:0000:0000:0001", "0:0:0:0:0:ffff:c000:0201"),
        ):
            self.assert_noticed(words, edit=lambda text, old=old, new=new: text.replace(old, new, 1))

        self.assert_noticed("metadata: email is 'dmarc@recv.example', expected None", metadata={"email": None})

    def test_records_alike(self) -> None:
        profile, namespace, policy, disposition = NEW
        report = make_report(namespace, policy, disposition)
        start, end = report.index("<record>"), report.index("</record>") + len("</record>")
        report = report.replace("</feedback>", report[start:end].replace("<count>3<", "<count>1<") + "</feedback>")
        files = {NAME: compress(report), f"{NAME}.json": json.dumps(make_expectation(profile, disposition)).encode()}
        self.assertIn("record 3: is like another", self.run_check(files)[1])

    def test_files_without_their_neighbours(self) -> None:
        self.assertEqual(self.run_check({})[0], 1)
        self.assertIn("expectation: [Errno 2]", self.run_check({NAME: b""})[1])
        self.assertIn("expectation: needs begin, ", self.run_check({NAME: b"", f"{NAME}.json": b"{}"})[1])
        self.assertIn("has no report", self.run_check({f"{NAME}.json": b"{}"})[1])


if __name__ == "__main__":
    unittest.main()
