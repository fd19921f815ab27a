"""What happens to a release while mail comes in. After each of them every record has exactly one outcome."""

import time

from processes import wait_until
from values import BAD, CHANGED, PASSWORD, SECRET, USER, WHY_BAD, replicas

# Seconds from `helm install` to the first verdict, with the image on the node.
FIRST_VERDICT = 120


def install(stage):
    """mail waits, the chart is installed, and verdicts come out within two minutes"""
    release = stage.release = stage.new_release("mx")
    started = time.monotonic()
    stage.mail.start()
    release.install()
    installed = time.monotonic() - started
    wait_until("a first verdict", lambda: stage.mail.first_verdict)
    first = stage.mail.first_verdict - started
    print(f"        helm install took {installed:.0f} s; the first verdict was there after {first:.0f} s", flush=True)
    assert first < FIRST_VERDICT, f"it must take less than {FIRST_VERDICT} s"
    whole(release)


def reports(stage):
    """reports of failures are made"""
    wait_until("a first report", lambda: stage.mail.tally.reported)


def helm_test(stage):
    """helm test passes"""
    stage.release.helm("test", stage.release.name, "--timeout", "300s")


def killed_process(stage):
    """a process is killed, and its container starts again"""
    name, pod = sorted(stage.release.pods("verdict").items())[0]
    before = stage.release.restarts()[name]
    stage.cluster.kill(pod["status"]["containerStatuses"][0]["containerID"])
    wait_until("the container starts again", lambda: stage.release.restarts()[name] > before)
    whole(stage.release)


def killed_pods(stage):
    """a pod of each role is removed by force"""
    for role in ("verdict", "aggregate"):
        uids = stage.release.uids(role)
        name = sorted(uids)[-1]
        stage.release.kubectl("delete", "pod", name, "--force", "--grace-period=0")
        wait_until("another pod of that name", lambda: stage.release.uids(role).get(name, uids[name]) != uids[name])
    whole(stage.release)


def eviction(stage):
    """one pod is evicted, and a second one is not while the first is away"""
    uids = stage.release.uids("verdict")
    first, second = sorted(uids)
    answer = stage.release.evict(first)
    assert not answer, f"the first eviction was refused: {answer}"
    answer = stage.release.evict(second)
    assert "TooManyRequests" in answer and "disruption budget" in answer, f"the second eviction was answered: {answer or 'granted'}"
    wait_until("another pod in its place", lambda: stage.release.uids("verdict").get(first, uids[first]) != uids[first])
    whole(stage.release)
    assert stage.release.uids("verdict")[second] == uids[second], "the second pod was replaced"


def upgrade(stage):
    """an upgrade with other values replaces every pod"""
    before = stage.release.uids()
    stage.release.upgrade(CHANGED)
    whole(stage.release)
    after = stage.release.uids()
    kept = [name for name, uid in after.items() if before.get(name) == uid]
    assert set(after) == set(before) and not kept, f"kept: {kept}"


def bad_configuration(stage):
    """a configuration that cannot run is refused before any pod is touched"""
    before, deployed = stage.release.snapshot(), stage.release.revision()
    done = stage.release.upgrade(BAD, check=False)
    assert done.returncode != 0, "helm upgrade accepted it"
    said = stage.release.kubectl("logs", "--selector=app.kubernetes.io/component=setup", "--all-containers", "--tail=-1").stdout
    assert WHY_BAD in said, f"the Job does not say why: {said}"
    stage.settle()
    stage.release.assert_untouched(before)
    stage.release.rollback(deployed)
    stage.settle()
    stage.release.assert_untouched(before)


def rollback(stage):
    """helm rollback brings the first values back"""
    before = stage.release.uids()
    stage.release.rollback(1)
    whole(stage.release)
    kept = [name for name, uid in stage.release.uids().items() if before.get(name) == uid]
    assert not kept, f"kept: {kept}"
    stage.release.values = stage.release.first_values


def scale(stage):
    """one verdict pod, three, and one again, whose partitions are read when the sessions of the others are over"""
    for count in (1, 3, 1):
        stage.release.upgrade(replicas(count))
        stage.release.wait_ready("verdict", count)
        stage.settle()
    stage.release.upgrade(replicas(2))
    whole(stage.release)


def secret(stage):
    """a password is rotated, no process ends with an error, and none needs the old one"""
    before = stage.release.snapshot()
    stage.password = "second"
    stage.broker.set_password(USER, stage.password)
    stage.release.kubectl(
        "patch", "secret", SECRET, "--type=merge", "--patch", f'{{"stringData": {{"{PASSWORD}": "{stage.password}"}}}}')
    wait_until("every pod has the new password", lambda: stage.release.secret_arrived(PASSWORD, stage.password))
    stage.settle()
    whole(stage.release)
    ended = stage.release.ended_since(before)
    assert not any(ended.values()), f"ended with an error: {ended}"
    # From now on whoever still has the old password is refused.
    stage.broker.restart()
    stage.settle()
    whole(stage.release)


def broker_restart(stage):
    """the broker goes and comes back under the same pods"""
    before = stage.release.uids()
    stage.broker.restart()
    stage.settle()
    whole(stage.release)
    assert stage.release.uids() == before, "pods were replaced"


def neighbours(stage):
    """a release of the same name in another namespace, on the same topics, fences nobody"""
    before = stage.release.snapshot()
    other = stage.new_release("mx-two")
    other.install()
    whole(other)
    assert set(other.uids()) == set(stage.release.uids()), "pods of both releases must have the same names"
    for _ in range(3):
        time.sleep(5)  # mail for both of them
        stage.settle()
    stage.release.assert_untouched(before)
    assert not any(other.restarts().values()), f"containers of the second release ended: {other.restarts()}"
    stage.remove_release(other)


def uninstall(stage):
    """every failure is in one report, and uninstall leaves only topics and positions"""
    stage.mail.stop_writing()
    stage.settle()
    failures, count = stage.mail.reported()
    print(f"        {failures} failures stand in {count} reports, each in one", flush=True)
    topics = set(stage.broker.topics())
    stage.remove_release(stage.release)
    assert set(stage.broker.topics()) == topics, "topics are gone"
    assert stage.broker.positions(), "the positions of the groups are gone"


def whole(release):
    """Every pod that the release wants is ready."""
    for role in ("verdict", "aggregate"):
        release.wait_ready(role, release.values[role]["replicas"])


STEPS = (
    install, reports, helm_test, killed_process, killed_pods, eviction, upgrade, bad_configuration, rollback, scale, secret,
    broker_restart, neighbours, uninstall,
)
