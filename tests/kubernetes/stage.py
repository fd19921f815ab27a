"""Where the steps happen: the cluster, the broker, the mail, and the releases."""

import json
import subprocess
from pathlib import Path

import broker
from cluster import Cluster, pause_image
from mail import Mail
from processes import wait_until
from release import Release
from values import PASSWORD, SECRET, USER, first_values

ZONE = Path(__file__).resolve().parents[2] / "examples/zone.json"


class Stage:
    """What all steps share. Mail comes in from the first step to the last."""

    def __init__(self, arguments, processes, folder):
        self.chart, self.images = arguments.chart, [arguments.image]
        self.folder, self.processes = folder, processes
        self.cluster = Cluster(processes, arguments.programs, folder, arguments.cgroup)
        self.broker = broker.Broker(processes, arguments.libs, folder)
        self.mail = Mail(broker.PLAIN)
        self.password = "first"
        self.releases = []

    def start(self):
        # The network comes first: the broker listens on the address by which pods reach this machine.
        self.cluster.start([pause_image(self.folder), *self.images])
        self.broker.start()
        self.broker.set_password(USER, self.password)

    def new_release(self, namespace):
        """A release that is not installed yet, in a namespace with all that an operator brings: it admits only restricted pods, and
        has the password, and a zone in place of DNS."""
        values = first_values(broker.SASL, image_name(self.images[0]))
        release = Release(self.cluster, self.chart, namespace, values)
        self.releases.append(release)
        self.cluster.kubectl("create", "namespace", namespace)
        self.cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        release.kubectl("create", "secret", "generic", SECRET, f"--from-literal={PASSWORD}={self.password}")
        release.kubectl("create", "configmap", "zone", f"--from-file=zone.json={ZONE}")
        wait_until("the namespace is whole", lambda: {"configmap/kube-root-ca.crt", "serviceaccount/default"} <= release.objects())
        release.before = release.objects()
        return release

    def remove_release(self, release):
        """Nothing of it is left in the cluster."""
        release.uninstall()
        wait_until(
            f"helm uninstall leaves nothing behind in {release.namespace}", lambda: release.objects() == release.before,
            describe=lambda: f"left: {sorted(release.objects() - release.before)}, gone: {sorted(release.before - release.objects())}")
        self.releases.remove(release)

    def settle(self):
        """Every record that was written so far has its one outcome. Gives back how many there are."""
        self.processes.check()
        return self.mail.settle()

    def trouble(self):
        """What the releases show when a step has failed."""
        try:
            return "\n".join(release.trouble() for release in self.releases)
        except AssertionError as error:
            return f"the cluster does not answer: {error}"


def image_name(archive):
    """The name of the image in an archive."""
    done = subprocess.run(["tar", "--extract", "--to-stdout", "--file", archive, "manifest.json"], check=True, capture_output=True)
    return json.loads(done.stdout)[0]["RepoTags"][0]
