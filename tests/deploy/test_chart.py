"""The chart as a whole: what Helm, the schemas of Kubernetes and the snapshots say of it."""

import functools
import json
import re
import unittest

import kubernetes_validate
import kubernetes_validate.utils as validation
import yaml

import manifests
from tools import CHART, HELM, HELM3, HERE, ROOT, WRITE, call, canonical, case, cases, documents, refused, rendered

VERSIONS = [f"1.{minor}" for minor in range(29, 38)]
validation.schema_contents = functools.cache(validation.schema_contents)


def is_of_kubernetes(document):
    group = document["apiVersion"].rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def parts(text):
    """The resources as texts, in their order; empty lines between them are Helm's, and another number in each version."""
    return [part.strip("\n") for part in re.split(r"^---$", text, flags=re.MULTILINE)]


def shown(values):
    """What is rendered, with the names of files in place of what was copied from them."""
    text = rendered(values)
    for name, indent in (("rules.yaml", 2), ("dashboard.json", 4)):
        lines = (CHART / "files" / name).read_text().strip().split("\n")
        copied = "\n".join(" " * indent + line for line in lines)
        for found in (copied, copied.replace(f"\n{' ' * indent}\n", "\n\n")):
            text = text.replace(found, f"{' ' * indent}(files/{name})")
    return text


class Chart(unittest.TestCase):
    def test_helm_finds_no_fault(self):
        for values in cases():
            with self.subTest(values.name):
                result = call(HELM, "lint", "--strict", CHART, "--values", values)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_supported_kubernetes_takes_what_is_rendered(self):
        seen = {canonical(document): document for values in cases() for document in documents(values)}
        checked = 0
        for document in filter(is_of_kubernetes, seen.values()):
            for version in VERSIONS:
                with self.subTest(document["metadata"]["name"], kind=document["kind"], version=version):
                    self.assertEqual(kubernetes_validate.validate(document, version, strict=True), version)
                    checked += 1
        self.assertGreater(checked, 300)

    def test_a_field_that_kubernetes_does_not_know_is_found(self):
        document = next(found for found in documents(case("minimal")) if found["kind"] == "StatefulSet")
        document["spec"]["template"]["spec"]["containers"][0]["volumeMount"] = []
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(document, VERSIONS[-1], strict=True)

    def test_what_is_rendered_changes_only_on_purpose(self):
        for values in cases():
            with self.subTest(values.name):
                snapshot = HERE / "snapshots" / values.name
                if WRITE:
                    snapshot.parent.mkdir(exist_ok=True)
                    snapshot.write_text(shown(values))
                self.assertEqual(shown(values), snapshot.read_text(), "run with VERDMARC_WRITE_GOLDEN=1 and look at the change")

    def test_every_snapshot_has_its_values(self):
        self.assertEqual({path.name for path in (HERE / "snapshots").iterdir()}, {path.name for path in cases()})

    def test_helm_3_renders_the_same(self):
        for values in cases():
            with self.subTest(values.name):
                self.assertEqual(parts(rendered(values, helm=HELM3)), parts(rendered(values)))

    def test_versions_are_those_of_the_program(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))

    def test_the_plain_manifests_are_those_of_the_chart(self):
        for path, text in manifests.files():
            with self.subTest(path.name):
                if WRITE:
                    path.write_text(text)
                self.assertEqual(path.read_text(), text, "run with VERDMARC_WRITE_GOLDEN=1 and look at the change")

    def test_the_files_of_monitoring_are_the_same_in_the_chart(self):
        for name in ("rules.yaml", "dashboard.json"):
            original, copy = ROOT / "deploy/monitoring" / name, CHART / "files" / name
            if original.exists():
                if WRITE:
                    copy.write_text(original.read_text())
                self.assertEqual(copy.read_text(), original.read_text(), f"copy deploy/monitoring/{name} to the chart's files/")
            self.assertTrue(copy.exists())


def leaves(schema, path=""):
    """The values that a schema describes, by path."""
    for name, entry in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from leaves(entry, f"{path}{name}.")


class Values(unittest.TestCase):
    schema = json.loads((CHART / "values.schema.json").read_text())
    text = (CHART / "values.yaml").read_text()

    def test_every_value_is_in_the_schema_and_every_one_of_the_schema_has_a_default(self):
        values = yaml.safe_load(self.text)
        described = {path for path in leaves(self.schema) if not path.startswith("config.")}

        def given(values, path=""):
            for name, value in values.items():
                yield f"{path}{name}"
                if isinstance(value, dict) and not f"{path}{name}".startswith("config"):
                    yield from given(value, f"{path}{name}.")

        free = re.compile(r"^(podSecurityContext|securityContext|grafanaDashboard\.labels|(verdict|aggregate|setup)\.resources|kafka\.sasl|kafka\.tls\.client|receiver|verdict\.kafka|aggregate\.kafka|setup\.kafka|test\.kafka)\.")
        self.assertEqual({path for path in given(values) if not free.match(path)}, {path for path in described if not free.match(path)})

    def test_a_value_that_nobody_knows_is_refused(self):
        def objects(schema, path):
            if schema.get("properties") is not None:
                yield path, schema
            for name, entry in schema.get("properties", {}).items():
                yield from objects(entry, f"{path}.{name}")

        places = list(objects(self.schema, "values"))
        places += [found for name, entry in self.schema["definitions"].items() if name != "settings" for found in objects(entry, name)]
        places += [found for name, entry in self.schema["definitions"]["settings"].items() for found in objects(entry, name)]
        for path, entry in places:
            self.assertIs(entry.get("additionalProperties"), False, path)
        for setting in ("replica=1", "verdict.replica=1", "config.verdict.budget=1", "config.kafka.brokers=\"x\"", "config.receiver={}"):
            self.assertIn("additional propert", refused(case("minimal"), setting).lower(), setting)

    def test_image_and_brokers_must_be_given(self):
        self.assertIn("repository", refused(case("minimal"), 'image.repository=""'))
        self.assertIn("brokers", refused(case("minimal"), 'kafka.brokers=""'))

    def test_every_value_is_described(self):
        def bare(schema, path):
            for name, entry in schema.get("properties", {}).items():
                if not entry.get("description"):
                    yield f"{path}.{name}"
                yield from bare(entry, f"{path}.{name}")

        definitions = self.schema["definitions"]
        for name, schema in [("values", self.schema), *definitions["settings"].items(), *definitions.items()]:
            self.assertEqual(list(bare(schema, name)), [])

    def test_every_value_has_a_comment(self):
        lines, bare = self.text.splitlines(), []
        before = ""
        for line in lines:
            name = re.match(r"^(\w+):", line)
            if name and not before.lstrip().startswith("#") and name[1] not in SIBLINGS:
                bare.append(name[1])
            before = line
        self.assertEqual(bare, [])


# Their comment stands above the first of them.
SIBLINGS = {
    "image", "kafka", "labels", "annotations", "podLabels", "podAnnotations", "nodeSelector", "tolerations", "affinity",
    "priorityClassName", "extraVolumes", "extraVolumeMounts", "dnsConfig", "securityContext", "networkPolicy",
}
