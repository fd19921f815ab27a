"""Apache Kafka for the examples of the README: one broker, ended with the script."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
message.max.bytes=67108864
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
"""


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in sockets]


@contextlib.contextmanager
def broker(libs):
    """The address of a broker that answers."""
    folder = Path(tempfile.mkdtemp(prefix="verdmarc-readme-"))
    plain, controller = _free_ports(2)
    settings = folder / "server.properties"
    settings.write_text(PROPERTIES.format(plain=plain, controller=controller, folder=folder))
    java = ["setpriv", "--pdeathsig", "KILL", "java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*"]
    format_it = ["kafka.tools.StorageTool", "format", "-t", "4rDEYoMzQWO1C4uB1cGDzw", "-c", settings]
    subprocess.run(java + format_it, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(java + ["kafka.Kafka", settings], stdout=log, stderr=log)
    try:
        address = f"127.0.0.1:{plain}"
        _wait_until_it_answers(address, process, folder / "log")
        yield address
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(address, process, log):
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for _ in range(60):
        if process.poll() is not None:
            break
        with contextlib.suppress(Exception):
            producer.list_topics(timeout=1)
            return
    raise SystemExit(f"Kafka does not answer:\n{log.read_text()[-2000:]}")


def send(address, headers, value, key="readme", partition=-1):
    """Writes one record to mail.raw and gives back where it lies."""
    placed = []
    producer = Producer({"bootstrap.servers": address})
    producer.produce(
        "mail.raw", key=key, value=value, headers=headers, partition=partition,
        on_delivery=lambda error, record: placed.append((error, record)),
    )
    producer.flush(30)
    error, record = placed[0]
    assert error is None, error
    return record.partition(), record.offset()


def wait_for(address, topic, found, patience=60):
    """The first committed record of a topic of which `found` says yes: its headers, and its value when that is JSON."""
    consumer = Consumer({
        "bootstrap.servers": address, "group.id": f"readme-{time.monotonic_ns()}", "auto.offset.reset": "earliest",
        "isolation.level": "read_committed", "enable.auto.commit": False,
    })
    try:
        consumer.subscribe([topic])
        end = time.monotonic() + patience
        while time.monotonic() < end:
            record = consumer.poll(0.5)
            if record is None or record.error():
                continue
            headers = {name: value.decode(errors="replace") for name, value in record.headers() or [] if value is not None}
            value = json.loads(record.value()) if headers.get("content-type") == "application/json" else None
            if found(headers, value):
                return record, headers, value
        raise AssertionError(f"{topic} has no such record after {patience} s")
    finally:
        consumer.close()
