"""A release of the chart, by helm, and its pods as the API server shows them."""

import copy
import json
import os
import shutil
import subprocess

from processes import wait_until

PATIENCE = 600


def merged(values, changes):
    """Values with changes in them, as helm merges its files."""
    result = copy.deepcopy(values)
    for name, change in changes.items():
        known = result.get(name)
        result[name] = merged(known, change) if isinstance(change, dict) and isinstance(known, dict) else change
    return result


class Release:
    """One release in a namespace of its own."""

    def __init__(self, cluster, chart, namespace, values, name="mail"):
        self.cluster, self.chart, self.namespace, self.name = cluster, chart, namespace, name
        self.values = self.first_values = values

    def helm(self, *arguments, check=True, **more):
        command = [shutil.which("helm"), "--kubeconfig", self.cluster.kubeconfig, "--namespace", self.namespace, *arguments]
        # Nothing of the user's, who may have plugins and repositories.
        places = {f"HELM_{name}_HOME": str(self.cluster.folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=2 * PATIENCE, check=False,
            env=os.environ | places, **more)
        said = f"helm {' '.join(map(str, arguments))}: {done.stderr or done.stdout}"
        assert done.returncode == 0 or not check, said
        return done

    def install(self):
        self._apply("install")

    def upgrade(self, changes, check=True):
        """With these values changed for good if it is done."""
        values, self.values = self.values, merged(self.values, changes)
        done = self._apply("upgrade", check=check)
        if done.returncode != 0:
            self.values = values
        return done

    def rollback(self, revision):
        return self.helm("rollback", self.name, revision, "--wait", "--timeout", f"{PATIENCE}s")

    def uninstall(self):
        self.helm("uninstall", self.name, "--wait", "--timeout", f"{PATIENCE}s")

    def revision(self):
        return max(int(entry["revision"]) for entry in json.loads(self.helm("history", self.name, "--output", "json").stdout))

    def _apply(self, verb, check=True):
        return self.helm(
            verb, self.name, self.chart, "--values", "-", "--wait", "--timeout", f"{PATIENCE}s",
            check=check, input=json.dumps(self.values))

    def kubectl(self, *arguments, **more):
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, **more)

    def get(self, *arguments):
        return self.cluster.get("--namespace", self.namespace, *arguments)

    def pods(self, role=None):
        """Pods of the roles; those of hooks and tests have no role."""
        labels = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component"
        found = self.get("pods", "--selector", f"{labels}={role}" if role else f"{labels} in (verdict, aggregate)")["items"]
        return {pod["metadata"]["name"]: pod for pod in found}

    def uids(self, role=None):
        return {name: pod["metadata"]["uid"] for name, pod in self.pods(role).items()}

    def restarts(self):
        return {
            name: sum(state["restartCount"] for state in pod["status"].get("containerStatuses", []))
            for name, pod in self.pods().items()
        }

    def ended_since(self, before):
        """Exit codes of the containers that have ended since a snapshot, by pod."""
        _, restarts = before
        return {
            name: state["lastState"]["terminated"]["exitCode"]
            for name, pod in self.pods().items()
            for state in pod["status"].get("containerStatuses", [])
            if state["restartCount"] > restarts.get(name, 0) and "terminated" in state["lastState"]
        }

    def snapshot(self):
        """What changes when a pod or a container is replaced."""
        return self.uids(), self.restarts()

    def assert_untouched(self, before):
        now = self.snapshot()
        assert now == before, f"pods or containers were replaced: {before} became {now}; exit codes: {self.ended_since(before)}"

    def secret_arrived(self, key, value):
        """Whether the files of every pod hold the value by now; a pod need not have a shell, so the node's own copies are read."""
        pods = self.cluster.folder / "kubelet/pods"
        files = [list((pods / uid).glob(f"volumes/*/*/{key}")) for uid in self.uids().values()]
        return all(found and all(file.read_text() == value for file in found) for found in files)

    def wait_ready(self, role, count):
        """So many pods of the role, all of them ready and none about to go."""
        def ready():
            pods = self.pods(role).values()
            return len(pods) == count and all(_is_ready(pod) for pod in pods)
        wait_until(f"{count} pods of {role} ready in {self.namespace}", ready, PATIENCE)

    def evict(self, pod):
        """The answer to a request to evict a pod: empty when it is granted."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"
        done = self.cluster.kubectl("create", "--raw", path, "--filename", "-", check=False, input=json.dumps(eviction))
        return "" if done.returncode == 0 else done.stderr

    def objects(self):
        """All that is in the namespace but events, by kind and name."""
        kinds = self.cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").stdout.split()
        kinds = ",".join(sorted(kind for kind in kinds if not kind.startswith("events")))
        return set(self.kubectl("get", kinds, "--output=name", "--ignore-not-found").stdout.split())

    def trouble(self):
        """What helps to see why something went wrong."""
        parts = [self.kubectl("get", "pods,jobs", "--output=wide", check=False).stdout]
        parts.append(self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False).stdout[-3000:])
        for pod in self.get("pods")["items"]:
            name = pod["metadata"]["name"]
            for which in ("--previous=false", "--previous"):
                log = self.kubectl("logs", name, "--all-containers", "--tail=15", which, check=False).stdout
                if log:
                    lines = "\n".join(line[:300] for line in log.splitlines())
                    parts.append(f"-- {name} {which if which == '--previous' else ''}\n{lines}")
        return "\n".join(parts)


def _is_ready(pod):
    states = pod["status"].get("conditions", [])
    ready = any(state["type"] == "Ready" and state["status"] == "True" for state in states)
    return ready and "deletionTimestamp" not in pod["metadata"]
