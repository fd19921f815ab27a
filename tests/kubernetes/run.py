"""Tests the chart and the image on a real cluster of one node, with Apache Kafka beside it and mail coming in all the time.

After each step a client from outside, which knows nothing of verdmarc, finds exactly one outcome of every record among the committed
records, and the right one. `install` and `uninstall` are always done; of the others only those that are named, if any are.
"""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from processes import Processes
from stage import Stage
from steps import STEPS, install, uninstall


def run(stage, steps):
    started = time.monotonic()
    stage.start()
    print(f"{time.monotonic() - started:6.1f} s  cluster and broker are up", flush=True)
    for number, step in enumerate(steps):
        started = time.monotonic()
        try:
            step(stage)
            records = stage.settle()
        except Exception as error:
            print(f"\n{step.__name__}: {step.__doc__}\n{error}\n{stage.trouble()}", flush=True)
            print(f"\n{number} passed, 1 failed", flush=True)
            return False
        print(f"{time.monotonic() - started:6.1f} s  {step.__doc__} ({records} records)", flush=True)
    print(f"\n{len(steps)} passed, 0 failed", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="\n".join(f"  {step.__name__:18} {step.__doc__}" for step in STEPS))
    for name, text in (
        ("programs", "folder of the parts of Kubernetes"), ("libs", "folder of Kafka's jars"), ("logs", "where logs are written"),
        ("state", "an empty folder"), ("cgroup", "the cgroup of all pods"), ("image", "archive of the image"), ("chart", "the chart"),
    ):
        parser.add_argument(f"--{name}", required=True, help=text)
    parser.add_argument("steps", nargs="*", metavar="STEP")
    arguments = parser.parse_args()
    unknown = set(arguments.steps) - {step.__name__ for step in STEPS}
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    # The first process of a PID namespace is deaf to signals that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logs = Path(arguments.logs)
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    chosen = [step for step in STEPS if not arguments.steps or step in (install, uninstall) or step.__name__ in arguments.steps]
    stage = Stage(arguments, Processes(logs), Path(arguments.state))
    try:
        passed = run(stage, chosen)
    except AssertionError as error:
        print(f"{error}\n\n0 passed, 1 failed", flush=True)
        passed = False
    # The end of this process is that of all others (scripts/kubernetes).
    sys.exit(not passed)


if __name__ == "__main__":
    main()
