"""Runs every example of the README in its order against Apache Kafka, and compares what must be stable.

Each command of the README has a rule here, and each rule a command there: an example that nobody checks is a fault, too.
"""

import argparse
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import kafka
from readme import examples, headers

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


@dataclass
class Rule:
    """How a command is run, and what must come of it."""

    says: tuple = ()  # expressions that standard output has to match
    code: int = 0
    edits: dict = field(default_factory=dict)  # text of the command to text or to a function of the stage
    before: object = None  # what must have happened
    retried: bool = False  # until it says so: what it shows comes from a role that works beside it
    stays: bool = False  # a role: it runs until another one is started
    skip: str = ""  # why it is not run


class Stage:
    """Where the examples run: a folder, a broker, the settings that were shown so far, and the role that runs."""

    def __init__(self, verdmarc, brokers, folder):
        self.brokers, self.folder = brokers, folder
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "secret").write_text("secret")
        self.settings = folder / "verdmarc.toml"
        self.settings.write_text("")
        self.role = None
        self.environment = os.environ | {
            "PATH": f"{Path(verdmarc).parent}:{os.environ['PATH']}",
            "VERDMARC_CONFIG": str(self.settings),
            "VERDMARC_DNS__ZONE": str(ROOT / "examples/zone.json"),
            "VERDMARC_KAFKA__INSTANCE": "readme",
            # A process that stops is out of its group at once, as the commands for stopped roles need it.
            "VERDMARC_KAFKA__STATIC_MEMBERSHIP": "false",
        }

    def shell(self, command, **more):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=PATIENCE, check=False, **more,
        )

    def start_role(self, command):
        self.stop_role()
        with open(self.folder / "role.log", "a") as log:
            line = ["setpriv", "--pdeathsig", "KILL", *command.split()]
            self.role = subprocess.Popen(line, cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def stop_role(self):
        if self.role is not None:
            self.role.terminate()
            code = self.role.wait(PATIENCE)
            self.role = None
            assert code == 0, f"the role ended with {code}:\n{(self.folder / 'role.log').read_text()[-2000:]}"

    def wait_for(self, topic, found):
        return kafka.wait_for(self.brokers, topic, found, PATIENCE)


def spoof(stage):
    """A message that fails, so that there is something to count; its window is today's."""
    kafka.send(stage.brokers, {"ce_id": "spoof", "ce_clientip": "203.0.113.5", "ce_mailfrom": "ann@example.org"}, message())


def report_id(stage):
    _, found, _ = stage.wait_for("mail.reports", lambda headers, _: headers["ce_type"] == "verdmarc.report.v1")
    return found["ce_id"][:8]


def refused(stage):
    """A record whose base64 is broken."""
    kafka.send(stage.brokers, {"content-type": "application/cloudevents+json"}, b'{"data_base64": "%%%"}')
    stage.wait_for("mail.dead-letters", lambda headers, _: headers["verdmarc-reason"] == "base64")


def refused_place(stage):
    record, _, _ = stage.wait_for("mail.dead-letters", lambda headers, _: headers["verdmarc-reason"] == "base64")
    return f"{record.partition()}/{record.offset()}"


def next_record(stage):
    """The record that the group would read next: one of an empty partition, written while nobody reads."""
    if not hasattr(stage, "next"):
        stage.stop_role()
        stage.next = kafka.send(stage.brokers, {}, message(), partition=empty_partition(stage))
    partition, offset = stage.next
    return f"mail.raw/{partition}/{offset}"


def empty_partition(stage):
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": stage.brokers, "group.id": "readme"})
    with contextlib.closing(consumer):
        return next(
            number for number in consumer.list_topics("mail.raw").topics["mail.raw"].partitions
            if consumer.get_watermark_offsets(TopicPartition("mail.raw", number), timeout=10)[1] == 0
        )


def message():
    return (ROOT / "examples/message.eml").read_bytes()


def now(_):
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


CHECK = "verdmarc verify examples/message.eml --client-ip 198.51.100.7 --helo mail.example.org --mail-from ann@example.org"
SINGLE = {"--replication-factor 3": "--replication-factor 1 --min-insync-replicas 1"}
RULES = {
    "make demo": Rule(edits={"make demo": "verdmarc demo"}, says=("Every outcome is as expected",)),
    "make test": Rule(skip="it runs this"),
    f"{CHECK} --zone examples/zone.json": Rule(says=("^DMARC PASS", "example.org")),
    "verdmarc verify examples/message.eml --envelope received --zone examples/zone.json": Rule(says=("^DMARC PASS",)),
    "verdmarc verify examples/message.eml --client-ip 203.0.113.5 --mail-from ann@example.org --zone examples/zone.json --json > "
    "verdict.json": Rule(),
    "verdmarc replay verdict.json --message examples/message.eml": Rule(says=("same",)),
    "export VERDMARC_KAFKA__BROKERS=localhost:9092": Rule(skip="the broker has another port"),
    "verdmarc topics create --partitions 12 --replication-factor 3": Rule(edits=SINGLE, says=("mail.raw .*12 partitions",)),
    "verdmarc run --roles verdict": Rule(stays=True),
    CHECK.replace("verify", "send"): Rule(says=(r"\S+ +examples/message.eml",)),
    "verdmarc tail verdicts": Rule(edits={"verdicts": "verdicts --from-beginning --limit 1"}, says=("PASS .*example.org",)),
    "verdmarc run": Rule(stays=True),
    "verdmarc windows list": Rule(before=spoof, says=("example.org +1 +1 .*dmarc@example.org",), retried=True),
    "verdmarc windows close --at 2026-01-31T12:00:00Z": Rule(edits={"2026-01-31T12:00:00Z": now}, says=("12 partitions",)),
    "verdmarc reports list --domain example.org": Rule(says=("example.org +1 +1 +1 ",), retried=True),
    "verdmarc reports show 3f9c0d": Rule(edits={"3f9c0d": report_id}, says=("<policy_published>", "<source_ip>203.0.113.5</source_ip>")),
    "verdmarc reports export --to reports/": Rule(says=("^1 report",)),
    "verdmarc aggregate repair": Rule(before=Stage.stop_role, says=("Every position is the one",)),
    "verdmarc topics create --partitions 12 --dry-run": Rule(says=("mail.raw .*is there with 12 partitions",)),
    "verdmarc topics check": Rule(says=("mail.raw +12 +1 +delete +7.0 d",)),
    "verdmarc topics grow --partitions 24": Rule(says=("mail.raw .*would grow from 12 to 24", "Nothing was changed")),
    "verdmarc topics print --cluster main | kubectl apply -f -": Rule(edits={"kubectl apply -f -": "cat"}, says=("kind: KafkaTopic",)),
    "verdmarc dead-letters list --reason base64 --since 2026-01-31T00:00:00Z": Rule(
        before=lambda stage: (stage.start_role("verdmarc run --roles verdict"), refused(stage)), says=("base64 +mail.raw/",)),
    "verdmarc dead-letters show 3/41": Rule(edits={"3/41": refused_place}, says=("verdmarc-reason: base64", "data_base64")),
    "verdmarc dead-letters redrive --reason base64": Rule(says=("base64 +would be put back", "Nothing was changed")),
    "verdmarc dead-letters skip mail.raw/3/41": Rule(edits={"mail.raw/3/41": next_record}, says=("Nothing was changed",)),
    "verdmarc dead-letters list --count-by reason": Rule(says=("1 +base64",)),
}


def run_command(stage, text, rule):
    if rule.skip:
        return
    if rule.before:
        rule.before(stage)
    for old, new in rule.edits.items():
        assert old in text, f"{old!r} does not stand in it"
        text = text.replace(old, new if isinstance(new, str) else new(stage))
    if rule.stays:
        stage.start_role(text)
        return
    end = time.monotonic() + (PATIENCE if rule.retried else 0)
    while True:
        done = stage.shell(text)
        missing = [expected for expected in rule.says if not re.search(expected, done.stdout, re.MULTILINE)]
        if done.returncode == rule.code and not missing:
            return
        said = f"{text}\n{done.stdout}{done.stderr}"
        assert time.monotonic() < end, f"exit code {done.returncode} (must be {rule.code}), not found: {missing}\n{said}"
        time.sleep(0.5)


def check_settings(stage, text):
    """Settings are valid, and in force from then on unless they are about a broker with a login or a collector."""
    text = text.replace("/run/secrets/kafka", str(stage.folder / "secret"))
    shown = stage.folder / "shown.toml"
    shown.write_text(text)
    done = stage.shell(f"verdmarc config check --config {shown}")
    assert done.returncode == 0, done.stdout + done.stderr
    if "[kafka" not in text and "[telemetry" not in text:
        stage.settings.write_text(stage.settings.read_text() + text)


def run_program(stage, text):
    """A program ends by itself, or has said what it must."""
    process = subprocess.Popen(
        [sys.executable, "-c", text], cwd=stage.folder, env=stage.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "Producer" in text:
        out, error = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out + error
        stage.wait_for("mail.verdicts", lambda _, event: event["mail"]["messageId"] == "4Xk2pQ")
        return
    with process:
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if said[-1] == "4Xk2pQ PASS":
                process.kill()
                return
        raise AssertionError(f"it said {said}, and then {process.stderr.read()}")


def check_table(stage, readme):
    """What the table of headers says: its examples are taken as they stand, and what it warns of makes a dead letter."""
    given = headers(readme)
    assert len(given) == 12, sorted(given)
    kafka.send(stage.brokers, given, message())
    _, _, event = stage.wait_for("mail.verdicts", lambda _, event: event["receipt"]["timestamp"].startswith(given["ce_time"][:19]))
    envelope, receipt = event["envelope"], event["receipt"]
    assert envelope["clientIp"] == given["ce_clientip"] and envelope["helo"] == given["ce_helo"], envelope
    assert envelope["mailFrom"] == given["ce_mailfrom"] and envelope["rcptTo"] == json.loads(given["ce_rcptto"]), envelope
    assert event["mail"]["messageId"] == given["ce_id"] and receipt["spamVerdict"]["status"] == given["ce_spamverdict"], receipt
    assert "late_evaluation" in event["authentication"]["dmarc"]["reasons"], "a message of another month is late"
    for number, (name, value, reason) in enumerate([
        ("content-type", "message/global", "content_type"),
        ("content-type", "application/octet-stream", "content_type"),
        ("ce_clientip", "198.51.100.7:25", "attribute_clientip"),
        ("ce_type", "verdmarc.verdict.v1", "event_type"),
    ]):
        assert value in readme or name == "ce_type", f"the table warns of {value}"
        identity = f"refused-{number}"
        kafka.send(stage.brokers, given | {"ce_id": identity, name: value}, message())
        _, letter, _ = stage.wait_for("mail.dead-letters", lambda headers, _, identity=identity: headers.get("ce_id") == identity)
        assert letter["verdmarc-reason"] == reason and letter["ce_type"] == (given | {name: value})["ce_type"], letter
    structured = {"specversion": "1.0", "id": "json", "source": "/mx/1", "type": given["ce_type"], "clientip": given["ce_clientip"],
                  "mailfrom": given["ce_mailfrom"], "data_base64": base64.b64encode(message()).decode()}
    kafka.send(stage.brokers, {"content-type": "application/cloudevents+json"}, json.dumps(structured).encode())
    _, found, _ = stage.wait_for("mail.verdicts", lambda _, event: event["mail"]["messageId"] == "json")
    assert found["ce_dmarcverdict"] == "PASS", found


def run(stage, readme):
    unused = dict(RULES)
    for example in examples(readme):
        title = example.text.strip().split("\n")[0]
        started = time.monotonic()
        try:
            if example.kind == "command":
                assert example.text in RULES, "no rule says how it is run and what comes of it"
                run_command(stage, example.text, unused.pop(example.text, None) or RULES[example.text])
            elif example.kind == "toml":
                check_settings(stage, example.text)
            else:
                run_program(stage, example.text)
                if "Consumer" in example.text:
                    check_table(stage, readme)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            log = stage.folder / "role.log"
            role = log.read_text()[-3000:] if log.exists() else ""
            raise SystemExit(f"README.md:{example.line}: {title}\n{error}\n{role}") from None
        print(f"{time.monotonic() - started:5.1f} s  {title}", flush=True)
    assert not unused, f"rules of commands that the README does not have: {list(unused)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdmarc", required=True)
    parser.add_argument("--libs", required=True, help="the jars of Apache Kafka")
    arguments = parser.parse_args()
    with kafka.broker(arguments.libs) as brokers, tempfile.TemporaryDirectory(prefix="verdmarc-readme-") as folder:
        stage = Stage(os.path.abspath(arguments.verdmarc), brokers, Path(folder))
        stage.environment["VERDMARC_KAFKA__BROKERS"] = brokers
        try:
            run(stage, (ROOT / "README.md").read_text())
            stage.stop_role()
        finally:
            if stage.role is not None:
                stage.role.kill()


if __name__ == "__main__":
    main()
