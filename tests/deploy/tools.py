"""The chart as Helm renders it, and the programs that check what comes out."""

import functools
import json
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/deploy"
CHART = ROOT / "deploy/helm/verdmarc"
PROGRAMS = ROOT / "target/deploy/bin"
HELM = PROGRAMS / "helm4"
HELM3 = PROGRAMS / "helm3"
KUBECONFORM = PROGRAMS / "kubeconform"
PROMTOOL = "promtool"
VERDMARC = os.environ["VERDMARC"]
WRITE = bool(os.environ.get("VERDMARC_WRITE_GOLDEN"))
# Helm built from its module does not know which version of Kubernetes it is for.
FOR = ("--kube-version", "1.37.0")
# A minute and a half is far more than any call takes: one that hangs is named, and not the whole run.
PATIENCE = 90


def call(*command, **options):
    """Runs a program and returns what it did; its end is not judged."""
    options = {"capture_output": True, "text": True, "timeout": PATIENCE, **options}
    return subprocess.run([str(part) for part in command], check=False, **options)


def cases():
    """The files of values that everything is tried with."""
    return sorted((CHART / "ci").glob("*.yaml"))


@functools.cache
def rendered(values, *more, helm=HELM, release="v", namespace="mail"):
    """The text that `helm template` prints for a file of values."""
    result = call(helm, "template", release, CHART, "--namespace", namespace, "--values", values, *FOR, *more)
    assert result.returncode == 0, f"{values.name}: {result.stderr}"
    return result.stdout


@functools.cache
def parsed(values, *more, **options):
    found = yaml.load_all(rendered(values, *more, **options), Loader=yaml.CSafeLoader)
    return json.dumps([document for document in found if document])


def documents(values, *more, **options):
    """The resources of a file of values, which the caller may change."""
    return json.loads(parsed(values, *more, **options))


def of_kind(kind, values, *more, **options):
    return [document for document in documents(values, *more, **options) if document["kind"] == kind]


def one(kind, name, values, *more, **options):
    """The resource of this kind whose name ends in `name`."""
    found = [document for document in of_kind(kind, values, *more, **options) if document["metadata"]["name"].endswith(name)]
    assert len(found) == 1, f"{kind} {name} of {values.name}: {len(found)} found"
    return found[0]


def case(name):
    return CHART / "ci" / f"{name}.yaml"


def pod_specs(document):
    """The pod template of a workload, if it is one."""
    if document["kind"] in ("StatefulSet", "Job"):
        yield document["spec"]["template"]


def containers(template):
    yield from template["spec"].get("initContainers", [])
    yield from template["spec"]["containers"]


def canonical(document):
    return json.dumps(document, sort_keys=True)


def refused(values, *settings):
    """What Helm says about values that it must not render."""
    options = [part for setting in settings for part in ("--set-json", setting)]
    result = call(HELM, "template", "v", CHART, "--namespace", "mail", "--values", values, *FOR, *options)
    assert result.returncode != 0, f"{settings} are rendered"
    return result.stderr
