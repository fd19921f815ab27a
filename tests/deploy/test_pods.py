"""What runs: how pods are secured, probed, stopped, spread and given their surroundings."""

import json
import tomllib
import unittest

from tools import call, canonical, case, cases, containers, documents, of_kind, one, pod_specs


def templates():
    """Every pod that is rendered, with its values and workload."""
    for values in cases():
        for document in documents(values):
            for template in pod_specs(document):
                yield values, document, template


class Pods(unittest.TestCase):
    def test_pods_are_as_restricted_as_the_strictest_pod_security_standard_asks(self):
        for values, document, template in templates():
            with self.subTest(values.name, name=document["metadata"]["name"]):
                spec = template["spec"]
                self.assertIs(spec["automountServiceAccountToken"], False)
                self.assertIs(spec["enableServiceLinks"], False)
                self.assertIs(spec["securityContext"]["runAsNonRoot"], True)
                self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                for container in containers(template):
                    context = container["securityContext"]
                    self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                    self.assertIs(context["allowPrivilegeEscalation"], False)
                    self.assertIs(context["readOnlyRootFilesystem"], True)
        for account in (found for values in cases() for found in of_kind("ServiceAccount", values)):
            self.assertIs(account["automountServiceAccountToken"], False)

    def test_no_variable_is_there_twice(self):
        for values, document, template in templates():
            for container in containers(template):
                names = [entry["name"] for entry in container["env"]]
                self.assertEqual(len(names), len(set(names)), f'{values.name}: {document["metadata"]["name"]}: {names}')
        spec = one("StatefulSet", "verdict", case("full"))["spec"]["template"]["spec"]
        variables = {entry["name"]: entry for entry in spec["containers"][0]["env"]}
        self.assertEqual(variables["VERDMARC_LOG__FILTER"]["value"], "debug", "the role's own wins")

    def test_secrets_are_mounted_as_directories_of_volumes_that_are_there(self):
        for values, document, template in templates():
            with self.subTest(values.name, name=document["metadata"]["name"]):
                names = [volume["name"] for volume in template["spec"]["volumes"]]
                self.assertEqual(len(names), len(set(names)))
                for container in containers(template):
                    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
                    self.assertEqual(len(paths), len(set(paths)))
                    for mount in container["volumeMounts"]:
                        self.assertIn(mount["name"], names)
                        if mount["name"] == "settings":
                            self.assertIn("subPath", mount, "all pods at once would see the settings of an upgrade")
                        else:
                            self.assertNotIn("subPath", mount, "a file mounted by itself would not follow its Secret")

    def test_a_file_that_the_settings_name_is_mounted(self):
        checked = 0
        for values in cases():
            for document in of_kind("StatefulSet", values):
                settings = one("ConfigMap", document["metadata"]["name"], values)["data"]["verdmarc.toml"]
                kafka = tomllib.loads(settings)["kafka"]
                places = [value for table in ("properties", "property_files") for value in kafka.get(table, {}).values()]
                mounts = document["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
                for place in places:
                    if str(place).startswith("/"):
                        checked += 1
                        self.assertTrue(any(place.startswith(f'{mount["mountPath"]}/') for mount in mounts), place)
        self.assertGreater(checked, 10)

    def test_no_secret_is_made(self):
        for values in cases():
            self.assertEqual(of_kind("Secret", values), [])


class Roles(unittest.TestCase):
    def test_a_bad_rollout_does_not_hold_up_the_next(self):
        for document in self.workloads():
            self.assertEqual(document["spec"]["podManagementPolicy"], "Parallel")
            self.assertNotIn("minReadySeconds", document["spec"])
            self.assertNotIn("initContainers", document["spec"]["template"]["spec"])

    @staticmethod
    def workloads():
        found = [document for values in cases() for document in of_kind("StatefulSet", values)]
        assert len(found) > 10
        return found

    def test_each_role_is_a_stateful_set_of_its_own(self):
        found = {document["metadata"]["name"]: document for document in of_kind("StatefulSet", case("reports"))}
        self.assertEqual(set(found), {"v-verdmarc-verdict", "v-verdmarc-aggregate"})
        for name, document in found.items():
            role = name.rpartition("-")[2]
            self.assertEqual(document["spec"]["template"]["spec"]["containers"][0]["args"], ["run", "--roles", role])
            for key, value in document["spec"]["selector"]["matchLabels"].items():
                self.assertEqual(document["spec"]["template"]["metadata"]["labels"][key], value)

    def test_the_grace_period_holds_the_drain_and_what_follows(self):
        grace = lambda values: one("StatefulSet", "verdict", values)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        self.assertEqual(grace(case("minimal")), 60)
        self.assertEqual(grace(case("numbers")), 61, "20 001 ms are rounded up")

    def test_a_start_may_take_as_long_as_the_values_say(self):
        for document in self.workloads():
            container = document["spec"]["template"]["spec"]["containers"][0]
            probe = container["startupProbe"]
            seconds = 300 if document["metadata"]["name"].endswith("verdict") else 1800
            self.assertGreaterEqual(probe["periodSeconds"] * probe["failureThreshold"], seconds)
            self.assertEqual(probe["httpGet"]["path"], "/startupz")
            self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/livez")
            self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/readyz")

    def test_probes_ask_where_the_program_listens(self):
        spec = one("StatefulSet", "verdict", case("full"))["spec"]["template"]["spec"]
        self.assertEqual(spec["containers"][0]["ports"], [{"name": "http", "containerPort": 8080}])
        self.assertEqual(one("Service", "verdict", case("full"))["spec"]["ports"][0]["port"], 8080)

    def test_changed_settings_change_the_pods_and_nothing_else_does(self):
        def checksum(*more):
            template = one("StatefulSet", "verdict", case("minimal"), *more)["spec"]["template"]
            return canonical(template)

        self.assertNotEqual(checksum(), checksum("--set-json", "config.dns.attempts=3"))
        self.assertEqual(checksum(), checksum("--set-json", "verdict.replicas=5", "--set-json", "setup.backoffLimit=1"))

    def test_each_role_has_a_disruption_budget_that_lets_broken_pods_go(self):
        found = of_kind("PodDisruptionBudget", case("reports"))
        self.assertEqual(len(found), 2)
        for document in found:
            self.assertEqual(document["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow")
            self.assertEqual(document["spec"]["maxUnavailable"], 1)

    def test_pods_of_a_role_are_spread(self):
        spec = one("StatefulSet", "aggregate", case("reports"))["spec"]["template"]["spec"]
        self.assertEqual({entry["topologyKey"] for entry in spec["topologySpreadConstraints"]}, {"topology.kubernetes.io/zone", "kubernetes.io/hostname"})
        for entry in spec["topologySpreadConstraints"]:
            self.assertEqual(entry["labelSelector"]["matchLabels"]["app.kubernetes.io/component"], "aggregate")

    def test_replicas_are_left_to_keda_where_it_scales(self):
        self.assertNotIn("replicas", one("StatefulSet", "verdict", case("cert-manager"))["spec"])

    def test_a_role_reaches_name_servers_and_brokers_and_answers_at_its_port_only(self):
        ports = lambda rules: {entry["port"] for rule in rules for entry in rule["ports"]}
        policy = one("NetworkPolicy", "aggregate", case("reports"))["spec"]
        self.assertEqual((ports(policy["ingress"]), ports(policy["egress"])), ({"http"}, {53, 9092, 9093}))
        policy = one("NetworkPolicy", "verdict", case("full"))["spec"]
        self.assertEqual(ports(policy["egress"]), {53, 9094, 9095, 9000, 443, 80})
        for url, port in (("http://collector:4318", 4318), ("https://otlp.example.org/x:y", 443), ("http://collector/", 80)):
            more = ("--set-json", f'config.telemetry.endpoint="{url}"')
            policy = one("NetworkPolicy", "aggregate", case("reports"), *more)["spec"]
            self.assertEqual(ports(policy["egress"]), {53, 9092, 9093, port})
        self.assertEqual(len(of_kind("NetworkPolicy", case("reports"))), 4)
        for document in of_kind("NetworkPolicy", case("reports")):
            self.assertEqual(document["spec"]["policyTypes"], ["Ingress", "Egress"])


class SetupJobs(unittest.TestCase):
    def test_settings_are_checked_before_anything_that_runs_is_touched(self):
        for values in cases():
            with self.subTest(values.name):
                job = one("Job", "check", values)
                self.assertEqual(self.hooks(job), {"pre-install", "pre-upgrade", "pre-rollback"})
                steps = list(containers(job["spec"]["template"]))
                roles = [document["metadata"]["name"].rpartition("-")[2] for document in of_kind("StatefulSet", values)]
                self.assertEqual({step["name"] for step in steps}, {f"check-{role}" for role in roles})
                self.assertTrue(all(step["args"][:2] == ["config", "check"] for step in steps))

    def test_topics_are_made_when_the_settings_have_been_found_right(self):
        weight = lambda name: int(one("Job", name, case("sasl"))["metadata"]["annotations"]["helm.sh/hook-weight"])
        self.assertLess(weight("check"), weight("topics"))
        self.assertEqual(self.hooks(one("Job", "topics", case("sasl"))), {"pre-install", "pre-upgrade", "pre-rollback"})

    def test_the_log_of_a_job_that_fails_is_printed(self):
        """Helm prints the logs of containers, and not those of init containers."""
        for job in self.jobs(case("sasl")):
            self.assertEqual(job["metadata"]["annotations"]["helm.sh/hook-output-log-policy"], "hook-failed")
            self.assertNotIn("initContainers", job["spec"]["template"]["spec"])

    @staticmethod
    def jobs(values):
        return [job for job in of_kind("Job", values) if not job["metadata"]["name"].endswith("-test")]

    @staticmethod
    def hooks(document):
        return set(document["metadata"]["annotations"]["helm.sh/hook"].split(","))

    def test_what_the_job_needs_is_there_before_it(self):
        for values in cases():
            for kind, job in ((kind, job) for kind in ("ConfigMap", "NetworkPolicy") for job in self.jobs(values)):
                found = one(kind, "setup", values)
                annotations = found["metadata"]["annotations"]
                self.assertLess(int(annotations["helm.sh/hook-weight"]), int(job["metadata"]["annotations"]["helm.sh/hook-weight"]))
                self.assertEqual(self.hooks(job), self.hooks(found))
                labels = job["spec"]["template"]["metadata"]["labels"]
                self.assertEqual(labels["app.kubernetes.io/component"], "setup", "the policy is theirs")

    def test_nothing_of_the_jobs_stays(self):
        for values in cases():
            for document in documents(values):
                annotations = document["metadata"].get("annotations", {})
                if "helm.sh/hook" in annotations:
                    self.assertEqual(annotations["helm.sh/hook-delete-policy"], "before-hook-creation,hook-succeeded")
                    if document["kind"] == "Job":
                        self.assertEqual(document["spec"]["ttlSecondsAfterFinished"], 86400, "one that failed goes by itself")

    def test_topics_are_made_where_strimzi_does_not(self):
        makes = lambda name: any(step["args"][0] == "topics" for job in of_kind("Job", case(name)) for step in containers(job["spec"]["template"]))
        self.assertTrue(makes("minimal"))
        self.assertFalse(makes("strimzi-tls"))
        self.assertFalse(makes("strimzi-scram"), "topics.create is false")

    def test_wrong_settings_are_not_tried_again(self):
        for job in self.jobs(case("minimal")):
            rules = job["spec"]["podFailurePolicy"]["rules"]
            self.assertEqual([(rule["action"], rule["onExitCodes"]["values"]) for rule in rules], [("FailJob", [2])])

    def test_settings_are_checked_against_the_memory_and_the_time_that_pods_get(self):
        for name, role, limit in (("reports", "verdict", "1073741824"), ("reports", "aggregate", "1610612736"), ("full", "verdict", "1610612736"), ("numbers", "verdict", "2147483648")):
            spec = one("StatefulSet", role, case(name))["spec"]["template"]["spec"]
            step = next(step for step in containers(one("Job", "check", case(name))["spec"]["template"]) if step["name"] == f"check-{role}")
            grace = str(spec["terminationGracePeriodSeconds"])
            self.assertEqual(step["args"], ["config", "check", "--roles", role, "--grace-period-s", grace, "--memory-limit", limit])

    def test_it_checks_the_same_settings_and_variables_that_the_role_has(self):
        for role in ("verdict", "aggregate"):
            container = one("StatefulSet", role, case("full"))["spec"]["template"]["spec"]["containers"][0]
            steps = containers(one("Job", "check", case("full"))["spec"]["template"])
            step = next(step for step in steps if step["name"] == f"check-{role}")
            own = {"POD_NAME", "POD_NAMESPACE", "VERDMARC_CONFIG", "VERDMARC_KAFKA__INSTANCE", "OTEL_RESOURCE_ATTRIBUTES"}
            pick = lambda env: [entry for entry in env if entry["name"] not in own]
            self.assertEqual(pick(step["env"]), pick(container["env"]))
            data = one("ConfigMap", "setup", case("full"))["data"]
            self.assertEqual(data[f"{role}.toml"], one("ConfigMap", role, case("full"))["data"]["verdmarc.toml"])


class HelmTest(unittest.TestCase):
    def test_a_message_of_an_authenticated_user_is_sent_and_its_verdict_waited_for(self):
        job = one("Job", "test", case("minimal"))
        self.assertEqual(job["metadata"]["annotations"]["helm.sh/hook"], "test")
        arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
        self.assertEqual(arguments, ["send", "--wait", "60", "--authenticated", "helm-test"])


if __name__ == "__main__":
    unittest.main()
