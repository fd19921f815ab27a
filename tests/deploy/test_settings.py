"""The settings that processes read: what the chart writes is what was meant, and the program takes it."""

import functools
import json
import re
import tempfile
import tomllib
import unittest
from pathlib import Path

import yaml

from tools import CHART, VERDMARC, call, case, cases, documents, of_kind, one, refused, rendered


def settings_files(values, *more):
    """Every settings file that is rendered, with its name."""
    for document in of_kind("ConfigMap", values, *more):
        for name, text in document["data"].items():
            if name.endswith(".toml"):
                yield f'{document["metadata"]["name"]}/{name}', text


def check(text, *arguments, environment=()):
    """What `config check` says of a settings file, after its secrets were put where it looks for them."""
    with tempfile.TemporaryDirectory() as folder:
        # Only passwords have to be there: certificates are read when a connection is made.
        for path in re.findall(r'"(/etc/verdmarc/secrets/[^"]*)"', text):
            place = Path(folder, path.rpartition("/secrets/")[2])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(secret(place.name))
        file = Path(folder, "verdmarc.toml")
        file.write_text(text.replace("/etc/verdmarc/secrets/", f"{folder}/"))
        return call(VERDMARC, "config", "check", "--config", file, *arguments, env=dict(environment))


CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUNqvlEmqbfIWz9+Jm1AAvYkzoVWgwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
"""


def secret(name):
    return "password" if "password" in name else CERTIFICATE


class Settings(unittest.TestCase):
    def test_the_program_takes_every_settings_file(self):
        for values in cases():
            for name, text in settings_files(values):
                with self.subTest(values.name, file=name):
                    # Certificates of a made-up authority: their properties are left out, the rest is checked.
                    text = "".join(line for line in text.splitlines(True) if not line.startswith('"ssl.'))
                    result = check(text)
                    self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_wrong_setting_is_found_by_the_program(self):
        text = dict(settings_files(case("minimal")))["v-verdmarc-verdict/verdmarc.toml"]
        self.assertEqual(check(f"{text}\n[dns]\nattempts = 0.5\n").returncode, 2)

    def test_numbers_stay_integers_and_zero_and_false_are_written(self):
        text = dict(settings_files(case("numbers")))["v-verdmarc-verdict/verdmarc.toml"]
        for line in (
            "linger_ms = 0", "static_membership = false", "attempts = 9", "spf_void_lookups = 0", "budget_bytes = 268435456",
            "drain_ms = 20001", "refusal_stop = false", "retry_delays_s = [9, 600, 3600000]", '"socket.timeout.ms" = 9000',
            "trusted_sealers = []",
        ):
            self.assertIn(f"{line}\n", text)
        self.assertNotRegex(text, r"= [0-9]+\.[0-9]|[0-9]e[+]?[0-9]")
        printed = call(VERDMARC, "config", "print", "--config", "/dev/stdin", input=text, env={})
        self.assertEqual(printed.returncode, 0, printed.stderr)
        found = tomllib.loads(printed.stdout)
        self.assertEqual(
            (found["kafka"]["linger_ms"], found["dns"]["attempts"], found["verdict"]["budget_bytes"]), (0, 9, 268435456)
        )

    def test_a_replica_count_of_zero_is_rendered(self):
        found = one("StatefulSet", "verdict", case("numbers"))
        self.assertEqual(found["spec"]["replicas"], 0)
        self.assertEqual(one("PodDisruptionBudget", "verdict", case("numbers"))["spec"]["maxUnavailable"], 0)

    def test_no_number_is_rendered_with_an_exponent(self):
        """Every value that is an integer by the schema, set to one that Go prints as 1e+06 unless it is told otherwise."""
        schema = json.loads((CHART / "values.schema.json").read_text())

        def integers(entry, path):
            if "integer" in entry.get("type", ()) and entry.get("maximum", 1e9) > 1e6:
                yield path
            for name, found in entry.get("properties", {}).items():
                yield from integers(found, [*path, name])

        paths = [path for name, found in schema["properties"].items() for path in integers(found, [name])]
        self.assertGreater(len(paths), 15)
        settings = {".".join(path): 2000000 for path in paths} | {"keda.enabled": True, "strimzi.topics.enabled": True, "strimzi.cluster": "x"}
        more = [part for path, value in settings.items() for part in ("--set-json", f"{path}={json.dumps(value)}")]
        for scaled in ("true", "false"):
            text = rendered(case("reports"), *more, "--set-json", f"keda.enabled={scaled}", "--set-json", f"strimzi.topics.enabled={scaled}")
            self.assertEqual(re.findall(r".*[0-9]e\+[0-9].*", text), [])
            self.assertGreater(text.count("2000000"), 8)

    def test_any_text_stays_what_it_is(self):
        for text in ('quo"te', "back\\slash", "new\nline", "<&>", "ü☃", "tab\t", "\x7f", "1.0", "true", "", "{{ x }}", "'''", "# x"):
            with self.subTest(text):
                values = json.dumps({"a": text, text or "b": "c"})
                found = dict(settings_files(case("minimal"), "--set-json", f"config.kafka.properties={values}"))
                read = tomllib.loads(found["v-verdmarc-verdict/verdmarc.toml"])["kafka"]["properties"]
                self.assertEqual(read, {"a": text, text or "b": "c"})

    def test_defaults_on_which_the_chart_depends_are_those_of_the_program(self):
        defaults = tomllib.loads(call(VERDMARC, "config", "print", env={}).stdout)
        for file in ("_settings.tpl", "_topics.tpl"):
            text = (CHART / "templates" / file).read_text()
            found = SETTING.findall(text)
            self.assertGreater(len(found), 2, file)
            for path, value in found:
                value = [int(number) for number in value.strip("()").split()[1:]] if value.startswith("(list") else int(value)
                default = functools.reduce(dict.__getitem__, re.findall(r"\w+", path), defaults)
                self.assertEqual(default, value, f"{file}: {path}")

    def test_values_of_the_chart_win_over_nothing_that_was_given(self):
        given = 'config.kafka.properties={"sasl.mechanism": "PLAIN", "security.protocol": "SASL_SSL"}'
        text = dict(settings_files(case("sasl"), "--set-json", given))["v-verdmarc-verdict/verdmarc.toml"]
        self.assertEqual(tomllib.loads(text)["kafka"]["properties"]["sasl.mechanism"], "PLAIN")

    def test_each_role_has_its_own_user(self):
        files = dict(settings_files(case("sasl")))
        users = {name: tomllib.loads(text)["kafka"]["properties"]["sasl.username"] for name, text in files.items()}
        self.assertEqual(users, {
            "v-verdmarc-verdict/verdmarc.toml": "verdmarc", "v-verdmarc-aggregate/verdmarc.toml": "verdmarc-reports",
            "v-verdmarc-test/verdmarc.toml": "verdmarc", "v-verdmarc-setup/verdict.toml": "verdmarc",
            "v-verdmarc-setup/aggregate.toml": "verdmarc-reports", "v-verdmarc-setup/setup.toml": "admin",
        })

    def test_the_job_refers_to_no_secret_that_the_release_makes(self):
        for name in ("strimzi-tls", "strimzi-scram", "cert-manager"):
            made = {document["metadata"]["name"] for kind in ("KafkaUser", "Certificate") for document in of_kind(kind, case(name))}
            self.assertTrue(made)
            job = json.dumps([found for found in of_kind("Job", case(name)) if not found["metadata"]["name"].endswith("-test")])
            for secret_name in made:
                self.assertNotIn(f'"secretName": "{secret_name}"', job, name)
            for file, text in settings_files(case(name)):
                if file.endswith("verdict.toml"):
                    self.assertNotIn("/etc/verdmarc/secrets", text)

    def test_members_are_dynamic_where_keda_scales_them(self):
        def membership(values, role):
            text = dict(settings_files(values))[f"v-verdmarc-{role}/verdmarc.toml"]
            return tomllib.loads(text)["kafka"].get("static_membership", True)

        self.assertIs(membership(case("cert-manager"), "verdict"), False)
        self.assertIs(membership(case("reports"), "verdict"), True)
        more = ("--set-json", "keda.enabled=true")
        text = dict(settings_files(case("reports"), *more))["v-verdmarc-aggregate/verdmarc.toml"]
        self.assertNotIn("static_membership", text)

    def test_the_topics_are_those_of_the_program(self):
        for name in ("strimzi-tls", "numbers"):
            with self.subTest(name):
                text = dict(settings_files(case(name)))["v-verdmarc-verdict/verdmarc.toml"]
                text = "".join(line for line in text.splitlines(True) if not line.startswith(('"ssl.', '"security.')))
                with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                    file.write(text)
                    file.flush()
                    printed = call(VERDMARC, "topics", "print", "--cluster", "main", "--config", file.name, env={})
                self.assertEqual(printed.returncode, 0, printed.stderr)
                more = ("--set-json", "strimzi.topics.enabled=true", "--set-json", 'strimzi.cluster="main"')
                wanted = {document["metadata"]["name"]: document["spec"] for document in yaml.safe_load_all(printed.stdout)}
                found = {document["metadata"]["name"]: document["spec"] for document in of_kind("KafkaTopic", case(name), *more)}
                self.assertEqual(found, wanted)


# dig "table" "key" DEFAULT $config, where tables may lie in tables.
SETTING = re.compile(r'dig ((?:"\w+" )+)(\d+|\(list [\d ]+\)) \$config')


class Refusals(unittest.TestCase):
    def test_values_that_contradict_each_other_are_refused_with_what_to_do(self):
        reports = case("reports")
        for values, settings, said in (
            (reports, ["receiver.contact=null"], "aggregate.enabled needs receiver.contact"),
            (reports, ['verdict.resources.limits.memory="400Mi"'], "verdict.resources.limits.memory is 419430400 bytes, and the settings take up to 545259520: raise it to 520Mi"),
            (reports, ['aggregate.resources.limits.memory="1Gi"'], "raise it to 1356Mi or more, or lower config.aggregate.process_bytes"),
            (reports, ["config.aggregate.process_bytes=null"], "aggregate.resources.limits.memory"),
            (reports, ['verdict.resources.limits.memory="1 GB"'], "is no quantity"),
            (reports, ["verdict.enabled=false", "aggregate.enabled=false"], "nothing would run"),
            (reports, ["config.health.listen=null"], "config.health.listen must be"),
            (reports, ["keda.enabled=true", "config.kafka.static_membership=true"], "static_membership must not be true"),
            (reports, ["keda.enabled=true", "verdict.enabled=false"], "keda.enabled needs verdict.enabled"),
            (reports, ["strimzi.topics.enabled=true"], "strimzi.cluster"),
            (reports, ['strimzi={"users": {"enabled": true}, "cluster": "main"}'], "needs kafka.tls.enabled"),
            (reports, ["kafka.tls.certManager.enabled=true"], "needs kafka.tls.enabled"),
            (case("cert-manager"), ["kafka.tls.certManager.issuerRef.name=null"], "issuerRef.name"),
            (case("cert-manager"), ["setup.kafka=null"], "name a Secret that is there in setup.kafka"),
            (case("strimzi-tls"), ["strimzi.topics.enabled=false"], "name a Secret that is there in setup.kafka"),
            (case("sasl"), ["kafka.sasl.secret=null"], "kafka.sasl.secret"),
            (reports, ["topics.replicationFactor=1"], "minInsyncReplicas is above"),
        ):
            with self.subTest(settings):
                self.assertIn(said, refused(values, *settings))

    def test_a_limit_on_memory_may_be_left_out(self):
        limits = ("--set-json", "verdict.resources.limits=null")
        self.assertIn("StatefulSet", rendered(case("minimal"), *limits))
        job = one("Job", "check", case("minimal"), *limits)
        self.assertNotIn("--memory-limit", json.dumps(job))

    def test_the_program_agrees_on_how_much_memory_is_needed(self):
        more = [
            [], ["config.dns.cache_bytes=1048576"], ["config.verdict.budget_bytes=1048576"], ["config.verdict.retries=true"],
            ['config.claim_check.prefixes=["s3://mail/"]'], ["config.aggregate.process_bytes=1073741827"], ["config.aggregate.budget_records=7"],
        ]
        for role, settings in ((role, settings) for settings in more for role in ("verdict", "aggregate")):
            with self.subTest(role, settings=settings):
                other = "aggregate" if role == "verdict" else "verdict"
                said = refused(case("reports"), *settings, f'{role}.resources.limits.memory="1Mi"', f'{other}.resources.limits.memory="9Gi"')
                needed = int(re.search(r"take up to (\d+)", said)[1])
                options = [part for setting in settings for part in ("--set-json", setting)]
                limits = (f'{role}.resources.limits.memory="{needed}"', f'{other}.resources.limits.memory="9Gi"')
                fits = (*(part for limit in limits for part in ("--set-json", limit)), *options)
                text = dict(settings_files(case("reports"), *fits))[f"v-verdmarc-{role}/verdmarc.toml"]
                self.assertEqual(check(text, "--roles", role, "--memory-limit", str(needed)).returncode, 0)
                self.assertEqual(check(text, "--roles", role, "--memory-limit", str(needed - 1)).returncode, 2)

    def test_the_program_agrees_on_how_long_a_stop_takes(self):
        for role in ("verdict", "aggregate"):
            least = ("--set-json", f"{role}.stopMarginSeconds=20", "--set-json", f"config.{role}.drain_ms=5001")
            grace = one("StatefulSet", role, case("reports"), *least)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            text = dict(settings_files(case("reports"), *least))[f"v-verdmarc-{role}/verdmarc.toml"]
            self.assertEqual(check(text, "--roles", role, "--grace-period-s", str(grace)).returncode, 0)
            self.assertEqual(check(text, "--roles", role, "--grace-period-s", str(grace - 1)).returncode, 2)

    def test_the_same_refusals_reach_nobody_who_uses_the_matrix(self):
        self.assertTrue(all(documents(values) for values in cases()))


class Names(unittest.TestCase):
    def test_no_two_releases_have_an_instance_in_common(self):
        """Two pods of one instance name would fence each other."""
        releases = ["a", "verdmarc", "a-verdmarc", "verdmarc-verdmarc", "x" * 50, "x" * 51, "a-b", "a.b"]
        places = [(release, "mail", "") for release in releases] + [("a", "mail-a", ""), ("mail-a", "a", ""), ("a", "mail", "blue.")]
        instances = {}
        for release, namespace, prefix in places:
            more = ("--set-json", f'kafka.instancePrefix="{prefix}"')
            for document in of_kind("StatefulSet", case("reports"), *more, release=release, namespace=namespace):
                name = document["metadata"]["name"]
                self.assertRegex(name, r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$")
                variables = {entry["name"]: entry for entry in document["spec"]["template"]["spec"]["containers"][0]["env"]}
                instance = variables["VERDMARC_KAFKA__INSTANCE"]["value"]
                instance = instance.replace("$(POD_NAMESPACE)", namespace).replace("$(POD_NAME)", f"{name}-0")
                self.assertNotIn("$", instance)
                owner = (release, namespace, prefix, name)
                self.assertEqual(instances.setdefault(instance, owner), owner)
        self.assertEqual(len(instances), 2 * len(places))
