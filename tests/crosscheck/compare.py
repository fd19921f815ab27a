"""One message's answers: theirs, the right ones by the listed rules, and ours."""

from dataclasses import dataclass

import foreign
import rules


@dataclass(frozen=True)
class Compared:
    """One answer. `what` is spf, dkim with the signature's number, dmarc or policy."""

    what: str
    ours: str | None
    theirs: str | None
    right: str | None
    # The rule by which theirs is not right.
    rule: str | None = None

    @property
    def kind(self):
        return self.what.partition(" ")[0]

    @property
    def agrees(self):
        # dkimpy says pass or not; only a rule knows one kind of failure from another.
        if self.kind == "dkim" and self.right in ("pass", "fail"):
            return (self.ours == "pass") == (self.right == "pass")
        return self.ours == self.right


def compare(case):
    """All answers of one message. DMARC of the others is decided from what SPF and DKIM should have come to."""
    words, said = foreign.judge_signatures(case)
    if len(words) != len(case.ours["dkim"]):
        number = str(len(words))
        return [Compared("number of signatures", str(len(case.ours["dkim"])), number, number)], said
    theirs = foreign.judge_spf(case)
    spf = Compared("spf", case.ours["spf"], theirs, *rules.right_answer("spf", theirs, case, theirs))
    dkim = [
        Compared(f"dkim {index}", case.ours["dkim"][index]["result"], word, *rules.right_answer("dkim", word, case, index))
        for index, word in enumerate(words)
    ]
    inputs = foreign.Inputs(spf.right, tuple(signature.right for signature in dkim))
    return [spf, *dkim, *compare_dmarc(case, foreign.judge_dmarc(case, inputs))], said


def compare_dmarc(case, found):
    result, rule = rules.right_answer("dmarc", found.result, case, found)
    yield Compared("dmarc", case.ours["dmarc"], found.result, result, rule)
    if result in ("pass", "fail"):
        yield Compared("policy", case.ours["policy"], found.policy, *rules.right_answer("policy", found.policy, case, found))
