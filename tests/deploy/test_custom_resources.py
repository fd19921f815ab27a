"""Resources of operators: valid by their definitions, and what they must say beyond that."""

import functools
import json
import os
import tempfile
import unittest
from pathlib import Path

import yaml

from tools import HERE, KUBECONFORM, call, case, cases, documents, of_kind, one
from test_chart import is_of_kubernetes


def closed(schema):
    """A schema that takes no field that it does not describe, as the API server would drop it without a word."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not keeps:
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return found


@functools.cache
def schemas():
    """A folder with the JSON Schemas of all definitions, as kubeconform reads them."""
    folder = tempfile.TemporaryDirectory()
    for path in sorted((HERE / "crds").glob("*.yaml")):
        definition = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        for version in definition["spec"]["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"metadata": {"type": "object"}}
            Path(folder.name, f'{definition["spec"]["names"]["kind"]}-{version["name"]}.json').write_text(json.dumps(schema))
    return folder


def conforms(resources):
    """What kubeconform says of resources."""
    location = os.path.join(schemas().name, "{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json")
    # It spells kinds in lower case.
    for path in Path(schemas().name).iterdir():
        path.rename(path.with_name(path.name.lower()))
    return call(KUBECONFORM, "-strict", "-summary", "-schema-location", location, "-", input="\n---\n".join(map(json.dumps, resources)))


class CustomResources(unittest.TestCase):
    def test_they_are_what_their_definitions_ask_for(self):
        kinds = set()
        for values in cases():
            found = [document for document in documents(values) if not is_of_kubernetes(document)]
            # The definitions at hand are those of v1, which this version of Strimzi has beside its predecessor.
            for document in found:
                document["apiVersion"] = document["apiVersion"].replace("strimzi.io/v1beta2", "strimzi.io/v1")
            kinds |= {document["kind"] for document in found}
            if found:
                with self.subTest(values.name):
                    result = conforms(found)
                    self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                    self.assertIn(f"Valid: {len(found)}", result.stdout)
        self.assertEqual(kinds, {
            "KafkaTopic", "KafkaUser", "ScaledObject", "TriggerAuthentication", "Certificate", "PodMonitor", "PrometheusRule",
        })

    def test_a_field_that_a_definition_does_not_know_is_found(self):
        document = one("ScaledObject", "verdict", case("cert-manager"))
        document["spec"]["maxReplicas"] = 3
        self.assertNotEqual(conforms([document]).returncode, 0)

    def test_none_is_needed(self):
        self.assertTrue(all(is_of_kubernetes(document) for document in documents(case("reports"))))


class Scaling(unittest.TestCase):
    def test_the_verdict_role_is_scaled_by_its_lag_and_slowly_down(self):
        spec = one("ScaledObject", "verdict", case("cert-manager"))["spec"]
        self.assertEqual(spec["scaleTargetRef"]["kind"], "StatefulSet")
        self.assertEqual((spec["minReplicaCount"], spec["maxReplicaCount"]), (1, 6), "it is not scaled to nothing")
        trigger = spec["triggers"][0]["metadata"]
        self.assertTrue(all(isinstance(value, str) for value in trigger.values()), trigger)
        self.assertEqual(trigger["topic"], "mail.raw")
        self.assertEqual(trigger["consumerGroup"], "verdmarc-verdict")
        self.assertEqual((trigger["offsetResetPolicy"], trigger["allowIdleConsumers"]), ("earliest", "false"))
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        self.assertEqual((down["stabilizationWindowSeconds"], down["policies"]), (300, [{"type": "Pods", "value": 1, "periodSeconds": 300}]))

    def test_no_more_replicas_than_partitions_are_started(self):
        spec = one("ScaledObject", "verdict", case("strimzi-scram"))["spec"]
        self.assertEqual((spec["minReplicaCount"], spec["maxReplicaCount"]), (0, 12))
        self.assertEqual(spec["triggers"][0]["metadata"]["lagThreshold"], "1000000")

    def test_it_reads_the_lag_as_the_role(self):
        spec = one("TriggerAuthentication", "verdict", case("strimzi-scram"))["spec"]
        found = {entry["parameter"]: entry["name"] for entry in spec["secretTargetRef"] + spec["configMapTargetRef"]}
        self.assertEqual(found, {"password": "v-verdmarc-verdict", "ca": "kafka-ca", "username": "v-verdmarc-verdict"})
        data = one("ConfigMap", "v-verdmarc-verdict", case("strimzi-scram"))["data"]
        self.assertEqual(data["username"], "v-verdmarc-verdict")
        spec = one("TriggerAuthentication", "verdict", case("cert-manager"))["spec"]
        self.assertEqual({entry["parameter"] for entry in spec["secretTargetRef"]}, {"ca", "cert", "key"})

    def test_names_follow_the_prefix(self):
        more = ("--set-json", 'config.topics.prefix="a."')
        trigger = one("ScaledObject", "verdict", case("cert-manager"), *more)["spec"]["triggers"][0]["metadata"]
        self.assertEqual((trigger["topic"], trigger["consumerGroup"]), ("a.mail.raw", "a.verdmarc-verdict"))


def rights(user):
    """The rights of a user: resource and name, with what it may do there."""
    found = {}
    for entry in user["spec"]["authorization"]["acls"]:
        resource = entry["resource"]
        key = (resource["type"], resource["name"] + ("*" if resource["patternType"] == "prefix" else ""))
        found[key] = {operation for operation in entry["operations"] if operation not in ("Describe", "DescribeConfigs")}
    return found


class Users(unittest.TestCase):
    def test_each_has_the_rights_that_it_needs_and_no_others(self):
        found = {user["metadata"]["name"]: rights(user) for user in of_kind("KafkaUser", case("strimzi-tls"))}
        look, read, write = set(), {"Read"}, {"Write"}
        self.assertEqual(found["v-verdmarc-verdict"], {
            ("topic", "prod.mail.raw"): read, ("topic", "prod.mail.retries.1"): read | write, ("topic", "prod.Mail_Verdicts"): write,
            ("topic", "prod.mail.annotated"): write, ("topic", "prod.mail.failures"): write, ("topic", "prod.mail.dead-letters"): write,
            ("topic", "prod.mail.windows"): look, ("topic", "prod.mail.reports"): look,
            ("group", "prod.verdmarc-verdict"): read, ("group", "prod.verdmarc-verdict-retries"): read,
            ("group", "verdmarc-verdict"): look, ("group", "verdmarc-reader"): look, ("group", "verdmarc-verdict-retries"): look,
            ("transactionalId", "prod.verdmarc-verdict.*"): write, ("transactionalId", "prod.verdmarc-verdict-retries.*"): write,
        })
        self.assertEqual(found["v-verdmarc-aggregate"], {
            ("topic", "prod.mail.failures"): read, ("topic", "prod.mail.windows"): read | write, ("topic", "prod.mail.reports"): write,
            ("topic", "prod.mail.dead-letters"): write, ("topic", "prod.mail.raw"): look, ("topic", "prod.Mail_Verdicts"): look,
            ("topic", "prod.mail.annotated"): look, ("topic", "prod.mail.retries.1"): look,
            ("group", "prod.verdmarc-aggregate"): read, ("group", "verdmarc-reader"): look, ("group", "verdmarc-aggregate"): look,
            ("transactionalId", "prod.verdmarc-aggregate.*"): write,
        })
        self.assertEqual(found["v-verdmarc-test"], {
            ("topic", "prod.mail.raw"): write, ("topic", "prod.Mail_Verdicts"): read, ("topic", "prod.mail.dead-letters"): read,
            ("group", "verdmarc-reader"): look,
        })
        found = rights(one("KafkaUser", "verdict", case("strimzi-scram")))
        self.assertEqual(found["topic", "mail.retries.1"], {"Read"}, "what was left there is counted")
        self.assertNotIn(("transactionalId", "verdmarc-verdict-retries.*"), found)

    def test_topics_outlive_the_release(self):
        topics = of_kind("KafkaTopic", case("strimzi-tls"))
        self.assertEqual(len(topics), 8)
        for topic in topics:
            self.assertEqual(topic["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")


if __name__ == "__main__":
    unittest.main()
