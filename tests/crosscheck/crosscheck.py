"""Has the corpus and its mutations judged by ours and by verifiers of others, and compares the answers.

Every difference must be explained by a listed rule (rules.py), and every listed rule must explain one.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import foreign
import rules
from case import Case
from compare import compare
from zone import Zone

OTHERS = {"spf": "pyspf", "dkim": "dkimpy", "dmarc": "authheaders"}
PROCESSES = 2
# From this size on every listed rule is needed; it is the default of `make crosscheck`.
FULL_SIZE = {"corpus": 2000, "mutations": 5000}
SHOWN = 20
# Each verifier of others must give pass and fail for one message in so many, otherwise it is not set up as it should be.
ONE_IN = 100


class Failure(Exception):
    """The comparison cannot be trusted."""


@dataclass(frozen=True)
class Outcome:
    """What became of one message, which itself stays behind in the worker."""

    case: dict
    ours: dict
    answers: list
    said: list

    @property
    def failed(self):
        return [answer for answer in self.answers if not answer.agrees]


def main():
    options = parse_arguments()
    counts = {"corpus": options.messages, "mutations": options.mutations}
    zone = json.loads((options.work / "zone.json").read_text())
    start = time.monotonic()
    pairs = judge_by_ours(options.verdmarc, options.work, counts)
    middle = time.monotonic()
    with multiprocessing.Pool(PROCESSES, initializer=prepare, initargs=(zone,)) as pool:
        outcomes = pool.starmap(judge_and_compare, pairs, chunksize=50)
    print(f"ours took {middle - start:.0f} s, the others {time.monotonic() - middle:.0f} s")
    check_others(outcomes)
    is_full = all(counts[name] >= size for name, size in FULL_SIZE.items())
    return report(outcomes, is_full)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdmarc", type=Path, required=True, help="the binary")
    parser.add_argument("--work", type=Path, required=True, help="directory of zone.json, corpus.jsonl and mutations.jsonl")
    parser.add_argument("--messages", type=int, required=True, help="number of lines of corpus.jsonl")
    parser.add_argument("--mutations", type=int, required=True, help="number of lines of mutations.jsonl")
    return parser.parse_args()


def judge_by_ours(verdmarc, work, counts):
    """The lines of the files, each with the line of our result."""
    running = {name: start_ours(verdmarc, work, name) for name, count in counts.items() if count}
    codes = {name: process.wait() for name, process in running.items()}
    pairs = []
    for name, code in codes.items():
        cases, results = ((work / f"{name}.{kind}").read_bytes().splitlines() for kind in ("jsonl", "results"))
        if code != 0:
            raise Failure(f"verdmarc ended with {code} on {name}.jsonl")
        if not len(cases) == len(results) == counts[name]:
            raise Failure(f"{name}: {counts[name]} lines wanted, {len(cases)} written, {len(results)} judged")
        pairs += zip(cases, results, strict=True)
    return pairs


def start_ours(verdmarc, work, name):
    command = [verdmarc, "conformance", "--results", "--zone", work / "zone.json", work / f"{name}.jsonl"]
    with (work / f"{name}.results").open("wb") as out:
        return subprocess.Popen(command, stdout=out)


def prepare(zone):
    """Runs once in each worker: the zone is read once and not for every message."""
    global records
    records = Zone(zone)
    foreign.use(records)


def judge_and_compare(line, result):
    case = Case(json.loads(line), json.loads(result), records)
    if case.ours["id"] != case.id:
        raise Failure(f"results out of order: {case.ours['id']} stands where {case.id} should")
    return Outcome(case.line, case.ours, *compare(case))


def check_others(outcomes):
    """One that always gives the same answer is not set up as it should be."""
    words = {verifier: Counter() for verifier in OTHERS.values()}
    for answer in (answer for outcome in outcomes for answer in outcome.answers):
        if answer.kind in OTHERS:
            words[OTHERS[answer.kind]][answer.theirs] += 1
    for verifier, counts in words.items():
        print(f"{verifier}: " + ", ".join(f"{count} {word}" for word, count in counts.most_common()))
        for word in ("pass", "fail"):
            if counts[word] < len(outcomes) // ONE_IN:
                raise Failure(f"{verifier} gave {word} only {counts[word]} times in {len(outcomes)} messages")


def report(outcomes, is_full):
    answers = [answer for outcome in outcomes for answer in outcome.answers]
    explained = Counter(answer.rule for answer in answers if answer.rule and answer.agrees)
    for rule in rules.RULES:
        print(f"{explained[rule.name]:6}  {rule.name} ({rule.reference})\n{'':8}{rule.sentence}")
    failed = [outcome for outcome in outcomes if outcome.failed]
    for outcome in failed[:SHOWN]:
        show(outcome)
    unused = [rule.name for rule in rules.RULES if not explained[rule.name]]
    if unused and is_full:
        print(f"rules that explain nothing: {', '.join(unused)}")
    print(
        f"crosscheck: {len(outcomes)} messages judged by {1 + len(OTHERS)} verifiers, "
        f"{sum(len(outcome.failed) for outcome in failed)} unexplained differences, "
        f"{explained.total()} explained by {len(explained)} rules"
    )
    return 1 if failed or (unused and is_full) else 0


def show(outcome):
    print(f"\nunexplained: {outcome.case['id']}")
    for answer in outcome.failed:
        by_rule = f", right by {answer.rule}: {answer.right}" if answer.rule else ""
        print(f"  {answer.what}: ours {answer.ours}, theirs {answer.theirs}{by_rule}")
    print(f"  case: {json.dumps(outcome.case)}\n  ours: {json.dumps(outcome.ours)}\n  dkimpy said: {outcome.said}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"crosscheck: {failure}")
