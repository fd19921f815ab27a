"""What became of each raw record, counted by what committed records say."""

from collections import Counter, defaultdict


class Tally:
    """Raw records and what stands for them. A place is a topic, a partition and an offset."""

    def __init__(self):
        self.sent = {}  # place of the raw record: the outcome that it must have, if that is known
        self.outcomes = defaultdict(list)  # the same place: what came of it
        self.failures = 0  # verdicts that reports must count
        self.reported = Counter()  # report and part: messages in it

    def add_sent(self, place, expected):
        assert place not in self.sent, f"{place} was written twice"
        self.sent[place] = expected

    def add_outcome(self, place, outcome):
        self.outcomes[place].append(outcome)
        if outcome == "FAIL":
            self.failures += 1

    def add_report(self, identity, messages):
        self.reported[identity] += messages

    def missing(self):
        return [place for place in self.sent if place not in self.outcomes]

    def problems(self):
        """What is wrong already, and no waiting makes good."""
        found = []
        for place, outcomes in list(self.outcomes.items()):
            expected = self.sent.get(place)
            if len(outcomes) > 1:
                found.append(f"{place} has {len(outcomes)} outcomes: {', '.join(outcomes)}")
            elif expected is not None and outcomes != [expected]:
                found.append(f"{place} has the outcome {outcomes[0]}, and must have {expected}")
        return found

    def unknown(self):
        """Outcomes of records that were not seen: for a moment that is nothing bad, because topics are read side by side."""
        return [place for place in list(self.outcomes) if place not in self.sent]

    def all_reported(self):
        return sum(self.reported.values()) == self.failures
