"""A Kubernetes cluster of one node: etcd, the programs of components/, containerd and runc.

It lives in namespaces of its own (scripts/kubernetes makes them): its network has no way out, its addresses and ports meet nobody
else's, and its mounts and processes are gone when the test is. Pods and the test reach each other by address. There is neither
kube-proxy nor cluster DNS, so names of services do not resolve.
"""

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from processes import wait_until

HOST = "10.244.0.1"  # this machine, as pods see it
API = "https://127.0.0.1:6443"
ETCD = "http://127.0.0.1:2379"
PAUSE = "localhost/pause:1"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")


class Cluster:
    """The cluster, from `start` to the end of the process."""

    def __init__(self, processes, programs, folder, cgroup):
        self.processes, self.programs, self.folder, self.cgroup = processes, Path(programs), Path(folder), cgroup
        self.kubeconfig = self.folder / "kubeconfig"
        self.socket = self.folder / "containerd.sock"

    def start(self, images):
        self._network()
        self._containers(images)
        self._control_plane()
        self._node()

    def program(self, name):
        return self.programs / name

    def kubectl(self, *arguments, check=True, **more):
        command = [self.program("kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False, **more)
        assert done.returncode == 0 or not check, f"kubectl {' '.join(map(str, arguments))}: {done.stderr or done.stdout}"
        return done

    def get(self, *arguments):
        """What `kubectl get` shows, as a value."""
        return json.loads(self.kubectl("get", "-o", "json", *arguments).stdout)

    def kill(self, container):
        """Kills the first process of a container, as the kernel does when there is no memory left."""
        self._ctr("tasks", "kill", "--signal", "SIGKILL", container.removeprefix("containerd://"))

    def _network(self):
        for command in (
            "link set lo up", "link add cni0 type bridge", f"address add {HOST}/24 dev cni0", "link set cni0 up",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [{
                "type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True,
                "ipam": {
                    "type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "dataDir": str(self.folder / "addresses"),
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }],
        }
        (self.folder / "cni").mkdir()
        (self.folder / "cni/pods.conflist").write_text(json.dumps(network))

    def _containers(self, images):
        settings = self.folder / "containerd.toml"
        settings.write_text(f"""
version = 2
root = "{self.folder}/containerd"
state = "{self.folder}/containerd-run"
[grpc]
address = "{self.socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Root of a container may lack the capability that lowers the score, and runc then ends without saying why.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{self.folder}/cni"
""")
        self.processes.start("containerd", "containerd", "--config", settings)
        wait_until("containerd answers", lambda: self.socket.exists() and self._ctr("version", check=False).returncode == 0)
        for image in images:
            self._ctr("images", "import", "--snapshotter", "native", image)

    def _ctr(self, *arguments, check=True):
        done = subprocess.run(
            ["ctr", "--address", self.socket, "--namespace", "k8s.io", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"ctr {' '.join(map(str, arguments))}: {done.stderr}"
        return done

    def _control_plane(self):
        key, public = self.folder / "accounts.key", self.folder / "accounts.pub"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        token = secrets.token_hex(16)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{token},admin,1,"system:masters"\n')
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": API, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }))
        self.processes.start(
            "etcd", "etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", ETCD, "--advertise-client-urls", ETCD,
            "--listen-peer-urls", "http://127.0.0.1:2380")
        self.processes.start(
            "kube-apiserver", self.program("kube-apiserver"), f"--etcd-servers={ETCD}", "--secure-port=6443",
            "--bind-address=127.0.0.1", f"--advertise-address={HOST}", f"--cert-dir={self.folder}/certificates",
            "--service-cluster-ip-range=10.96.0.0/24", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}", f"--service-account-key-file={public}", f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC", "--kubelet-preferred-address-types=InternalIP")
        wait_until("the API server answers", lambda: self._answers("get", "namespace", "default"))
        for name, *more in (
            ("kube-controller-manager", f"--service-account-private-key-file={key}", "--use-service-account-credentials"),
            ("kube-scheduler", f"--authentication-kubeconfig={self.kubeconfig}", f"--authorization-kubeconfig={self.kubeconfig}"),
        ):
            self.processes.start(name, self.program(name), f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", *more)
        wait_until("service accounts are made", lambda: self._answers("get", "serviceaccount", "default"))

    def _node(self):
        settings = self.folder / "kubelet.json"
        settings.write_text(json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": HOST,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "failSwapOn": False,
            "failCgroupV1": False,
            "enforceNodeAllocatable": [],
            "makeIPTablesUtilChains": False,
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            # A changed Secret is in the pod's files after this time at most, and not after a minute.
            "syncFrequency": "5s",
            "resolvConf": "",
        }))
        self.processes.start(
            "kubelet", self.program("kubelet"), f"--kubeconfig={self.kubeconfig}", f"--config={settings}",
            f"--root-dir={self.folder}/kubelet", "--hostname-override=node", f"--node-ip={HOST}")
        wait_until("the node is ready", self._ready)

    def _ready(self):
        self.processes.check()
        nodes = self.get("nodes")["items"]
        return any(state["type"] == "Ready" and state["status"] == "True" for node in nodes for state in node["status"]["conditions"])

    def _answers(self, *arguments):
        self.processes.check()
        return self.kubectl(*arguments, check=False).returncode == 0


def pause_image(folder):
    """The archive of an image whose only process does nothing: it holds a pod's network."""
    folder = Path(folder) / "pause"
    folder.mkdir()
    shutil.copy(shutil.which("busybox"), folder)
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /busybox\nUSER 65535\nENTRYPOINT ["/busybox", "sleep", "2147483647"]\n')
    archive = folder / "image.tar"
    buildah = ["buildah", "--root", folder / "storage", "--runroot", folder / "storage-run", "--storage-driver", "vfs"]
    for command in (["bud", "--isolation", "chroot", "--quiet", "--tag", PAUSE, folder],
                    ["push", "--quiet", PAUSE, f"docker-archive:{archive}:{PAUSE}"]):
        subprocess.run([*buildah, *command], check=True, capture_output=True, env=os.environ | {"TMPDIR": str(folder)})
    return archive
