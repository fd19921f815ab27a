"""Scripts and the Dockerfile, as their linters see them, and the definitions of others."""

import filecmp
import subprocess
import sys
import unittest
from pathlib import Path

from tools import HERE, ROOT, call

BIN = Path(sys.executable).parent


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


class Scripts(unittest.TestCase):
    def test_shellcheck_finds_nothing(self):
        scripts = [path for path in tracked("scripts", ".ci", "deploy", "tests") if path.suffix == ".sh" or starts_a_shell(path)]
        self.assertGreater(len(scripts), 8)
        result = call(BIN / "shellcheck", "--severity", "warning", "--external-sources", *scripts, cwd=ROOT)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_hadolint_finds_nothing(self):
        for dockerfile in tracked("deploy/Dockerfile"):
            result = call(BIN / "hadolint", dockerfile)
            self.assertEqual(result.returncode, 0, result.stdout)


def starts_a_shell(path):
    with path.open("rb") as file:
        first = file.readline(64)
    return first.startswith(b"#!") and (b"bash" in first or b"/sh" in first)


class Definitions(unittest.TestCase):
    def test_those_of_strimzi_are_the_shared_ones(self):
        shared = ROOT.parent / "shared/crds"
        if not shared.is_dir():
            self.skipTest(f"no {shared} here: nothing to compare with")
        for name in ("strimzi-kafkatopic.yaml", "strimzi-kafkauser.yaml", "strimzi.LICENSE"):
            self.assertTrue(filecmp.cmp(shared / name, HERE / "crds" / name, shallow=False), name)


if __name__ == "__main__":
    unittest.main()
