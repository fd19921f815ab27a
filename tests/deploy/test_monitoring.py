"""Alerts, dashboard and metrics: valid, and about metrics that exist."""

import functools
import json
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import yaml

from tools import CHART, PROMTOOL, ROOT, VERDMARC, call

RULES = CHART / "files/rules.yaml"
DASHBOARD = CHART / "files/dashboard.json"
TABLE = ROOT / "docs/metrics.md"
# Metrics of others on which queries rely: Prometheus itself, the Kubernetes node and kube-state-metrics.
OF_OTHERS = re.compile(r"^(up|ALERTS|container_\w+|kube_(pod|statefulset|job)_\w+)$")
# Names of OpenTelemetry's conventions, which end as promtool wants only histograms to end.
OF_CONVENTIONS = re.compile(r"^process_(thread|unix_file_descriptor)_count ")
WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool", "inf", "nan", "atan2", "start", "end"}


@functools.cache
def exposition():
    """What /metrics says of a process whose brokers are away."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "verdmarc.toml")
        file.write_text(f'[kafka]\nbrokers = "127.0.0.1:1"\ncheck_topics = false\ninstance = "x"\n[health]\nlisten = "127.0.0.1:{port}"\n'
                        '[receiver]\ndomain = "mx.example"\norganization = "x"\ncontact = "x@mx.example"\n')
        process = subprocess.Popen([VERDMARC, "run", "--config", file], stderr=subprocess.DEVNULL, env={})
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                        return answer.read().decode()
                except OSError:
                    if time.monotonic() > deadline or process.poll() is not None:
                        raise
                    time.sleep(0.2)
        finally:
            process.kill()
            process.wait()


def known():
    """The names of all series that verdmarc may have: those of the documentation, or while there is none those of a process."""
    text = TABLE.read_text() if TABLE.exists() else exposition()
    if not TABLE.exists():
        return set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    names = set()
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name = section.partition("\n")[0].strip("`# ")
        names |= {f"{name}{suffix}" for suffix in ("_bucket", "_sum", "_count")} if ", histogram" in section else {name}
    return names


def metrics(expression):
    """The names of the series that a query reads."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', '""', expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    text = re.sub(r"\$\w+|\$\{\w+[^}]*\}|\b\d[\w.]*", " ", text)
    found = re.findall(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()", text)
    return {name for name in found if name.lower() not in WORDS}


def rules():
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def rule_tests():
    """The files of rule tests, as promtool reads them."""
    return sorted((ROOT / "deploy/monitoring").glob("*test*.yaml")) + sorted((ROOT / "tests/deploy/rules").glob("*.yaml"))


def anchor(heading):
    """What a heading is linked by."""
    return re.sub(r"[^\w -]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")


def alerts():
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]


def recorded():
    return {rule["record"] for rule in rules() if "record" in rule}


def panels():
    """The queries of the dashboard, each with the title of its panel."""
    open_panels = list(json.loads(DASHBOARD.read_text()).get("panels", []))
    while open_panels:
        panel = open_panels.pop()
        open_panels += panel.get("panels", [])
        for target in panel.get("targets", []):
            if target.get("expr"):
                yield panel.get("title", "?"), target["expr"]


def variables():
    """The queries behind the dashboard's variables."""
    for variable in json.loads(DASHBOARD.read_text()).get("templating", {}).get("list", []):
        query = variable.get("query")
        query = query.get("query") if isinstance(query, dict) else query
        if variable.get("type") == "query" and query:
            yield variable["name"], re.sub(r"^label_values\((.*),\s*\w+\)$", r"\1", query)


class Monitoring(unittest.TestCase):
    def test_the_rules_are_valid(self):
        result = call(PROMTOOL, "check", "rules", RULES)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_each_alert_fires_when_it_should_and_not_otherwise(self):
        fires, is_silent = set(), set()
        for tests in rule_tests():
            with self.subTest(tests.name):
                result = call(PROMTOOL, "test", "rules", tests)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            for entry in yaml.safe_load(tests.read_text())["tests"]:
                for expected in entry.get("alert_rule_test", []):
                    (fires if expected.get("exp_alerts") else is_silent).add(expected["alertname"])
        names = {rule["alert"] for rule in rules() if "alert" in rule}
        self.assertEqual((names - fires, names - is_silent), (set(), set()), "without a test that it fires, or that it does not")

    def test_each_alert_says_what_to_do(self):
        runbook = ROOT / "docs/runbook.md"
        anchors = {anchor(line) for line in runbook.read_text().splitlines() if line.startswith("#")} if runbook.exists() else set()
        for rule in rules():
            if "alert" in rule:
                with self.subTest(rule["alert"]):
                    self.assertIn(rule["annotations"]["runbook_url"].partition("docs/runbook.md#")[2], anchors)

    def test_the_exposition_is_valid(self):
        result = call(PROMTOOL, "check", "metrics", input=exposition())
        faults = [line for line in (result.stdout + result.stderr).splitlines() if not OF_CONVENTIONS.match(line)]
        self.assertEqual(faults, [])
        self.assertIn(result.returncode, (0, 3), "3 is a fault of style")

    def test_a_fault_in_an_exposition_is_found(self):
        for text in ("# TYPE a counter\na 1\n", "a{b=c} 1\n"):
            self.assertNotEqual(call(PROMTOOL, "check", "metrics", input=text).returncode, 0)

    def test_every_query_names_a_metric_that_exists(self):
        names, checked = known() | recorded(), 0
        for place, expression in [*alerts(), *panels(), *variables()]:
            for name in metrics(expression):
                with self.subTest(place, query=expression):
                    self.assertTrue(name in names or OF_OTHERS.match(name), f"there is no metric {name}")
                    checked += 1
        if list(rules()):
            self.assertGreater(checked, 10)

    def test_a_query_of_a_metric_that_does_not_exist_is_found(self):
        query = 'sum by (topic) (rate(verdmarc_lag{topic=~"a{2}"}[$__rate_interval])) / on (job) group_left (x) max_over_time(y:z[5m] offset 1h) > bool 1e3'
        self.assertEqual(metrics(query), {"verdmarc_lag", "y:z"})
        self.assertEqual(metrics("histogram_quantile(0.99, sum(rate(a_bucket[5m])) by (le)) and up == 0"), {"a_bucket", "up"})
        self.assertNotIn("verdmarc_no_such_metric", known())

    def test_the_queries_of_the_dashboard_are_valid(self):
        rules = []
        for number, (_, expression) in enumerate(panels()):
            text = re.sub(r"\$__rate_interval|\$__interval|\$\{__rate_interval\}", "5m", expression)
            text = re.sub(r"\[\$__range\]", "[1h]", text)
            rules.append({"record": f"query:{number}", "expr": text})
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            result = call(PROMTOOL, "check", "rules", file.name)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
