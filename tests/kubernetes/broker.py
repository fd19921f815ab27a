"""Apache Kafka beside the cluster: one broker that pods reach. The test comes without a name, verdmarc with a password."""

import subprocess

from cluster import HOST
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion,
)
from processes import wait_until

PLAIN = f"{HOST}:9092"
SASL = f"{HOST}:9094"
PROPERTIES = f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://{PLAIN},SASL_PLAINTEXT://{SASL},CONTROLLER://127.0.0.1:9093
advertised.listeners=PLAINTEXT://{PLAIN},SASL_PLAINTEXT://{SASL}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
auto.create.topics.enable=false
message.max.bytes=67108864
socket.request.max.bytes=134217728
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
"""


class Broker:
    """The broker, which may be restarted."""

    def __init__(self, processes, libs, folder):
        self.processes = processes
        self.java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*"]
        self.admin = AdminClient({"bootstrap.servers": PLAIN, "log_level": 0})
        self.settings = folder / "server.properties"
        self.settings.write_text(f"{PROPERTIES}log.dirs={folder}/data\n")
        done = subprocess.run(
            [*self.java, "kafka.tools.StorageTool", "format", "-t", "4rDEYoMzQWO1C4uB1cGDzw", "-c", self.settings],
            capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout

    def start(self):
        self.processes.start("kafka", *self.java, "kafka.Kafka", self.settings)
        wait_until("Kafka answers", self._answers)

    def restart(self):
        self.processes.stop("kafka", patience=120)
        self.start()

    def set_password(self, user, password):
        self._change(UserScramCredentialUpsertion(
            user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password.encode()))

    def remove_password(self, user):
        self._change(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))

    def _change(self, change):
        for answer in self.admin.alter_user_scram_credentials([change]).values():
            answer.result(60)

    def topics(self):
        return self.admin.list_topics(timeout=60).topics

    def positions(self):
        """The groups that verdmarc's positions belong to."""
        groups = self.admin.list_consumer_groups(request_timeout=60).result().valid
        return [group.group_id for group in groups if "verdmarc" in group.group_id]

    def _answers(self):
        self.processes.check()
        try:
            return self.admin.list_topics(timeout=2)
        except KafkaException:
            return None
