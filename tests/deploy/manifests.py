"""Manifests for those without Helm: what the chart renders for deploy/kubernetes/values.yaml, without what only Helm reads."""

import yaml

from tools import ROOT, documents

FOLDER = ROOT / "deploy/kubernetes"
HEAD = "# Rendered from the chart in deploy/helm/verdmarc with values.yaml of this folder; docs/kubernetes.md says how to use it.\n"
# In the order in which they are applied.
FILES = {"1-setup.yaml": ("setup",), "2-verdict.yaml": (None, "verdict"), "3-aggregate.yaml": ("aggregate",)}
OF_HELM = ("helm.sh/", "app.kubernetes.io/managed-by")


class Dumper(yaml.SafeDumper):
    """Texts of several lines stay such, and nothing is written as a reference."""

    def ignore_aliases(self, data):
        return True


def text(dumper, value):
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Dumper.add_representer(str, text)


def plain(value):
    """A resource without labels and annotations of Helm."""
    if isinstance(value, dict):
        kept = {key: plain(entry) for key, entry in value.items() if not str(key).startswith(OF_HELM)}
        return {key: entry for key, entry in kept.items() if not (key == "annotations" and not entry)}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def files():
    """Each file with its text."""
    found = [plain(document) for document in documents(FOLDER / "values.yaml", release="verdmarc", namespace="verdmarc")]
    for name, components in FILES.items():
        chosen = [document for document in found if document["metadata"]["labels"].get("app.kubernetes.io/component") in components]
        assert chosen, name
        yield FOLDER / name, HEAD + yaml.dump_all(chosen, Dumper=Dumper, sort_keys=False, width=140, explicit_start=True)
