"""Programs that run beside the test. All of them are in the test's own PID namespace, whose end is the end of every one of them."""

import subprocess
import time


class Processes:
    """Started programs by name, each with a log of its own."""

    def __init__(self, logs):
        self.logs = logs
        self.running = {}

    def start(self, name, *command, **more):
        with open(self.logs / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, **more)

    def stop(self, name, patience=60):
        """Asks it to end, and ends it when it does not."""
        process = self.running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def check(self):
        """Fails when one has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}:\n{self.tail(name)}")

    def tail(self, name, size=3000):
        return (self.logs / f"{name}.log").read_text(errors="replace")[-size:]


def wait_until(what, found, patience=300, pause=0.5, describe=lambda: ""):
    """What `found` gives back once that is true. When it takes too long `describe` tells more."""
    end = time.monotonic() + patience
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what} {describe()}")
        time.sleep(pause)
