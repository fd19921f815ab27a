"""The tally must notice what it is there for."""

import unittest

from tally import Tally

PLACE, OTHER = ("mail.raw", 0, 1), ("mail.raw", 0, 2)


class Noticed(unittest.TestCase):
    def setUp(self):
        self.tally = Tally()
        self.tally.add_sent(PLACE, "FAIL")

    def test_a_record_without_an_outcome(self):
        self.assertEqual(self.tally.missing(), [PLACE])
        self.tally.add_outcome(PLACE, "FAIL")
        self.assertEqual((self.tally.missing(), self.tally.problems(), self.tally.unknown()), ([], [], []))

    def test_a_second_outcome(self):
        self.tally.add_outcome(PLACE, "FAIL")
        self.tally.add_outcome(PLACE, "FAIL")
        self.assertIn("has 2 outcomes", self.tally.problems()[0])

    def test_another_outcome_than_expected(self):
        self.tally.add_outcome(PLACE, "PASS")
        self.assertIn("must have FAIL", self.tally.problems()[0])

    def test_an_outcome_of_a_record_that_nobody_wrote(self):
        self.tally.add_outcome(OTHER, "PASS")
        self.assertEqual(self.tally.unknown(), [OTHER])

    def test_a_failure_in_no_report_or_in_two(self):
        self.tally.add_outcome(PLACE, "FAIL")
        self.assertFalse(self.tally.all_reported())
        self.tally.add_report(("a", 0), 1)
        self.assertTrue(self.tally.all_reported())
        self.tally.add_report(("b", 0), 1)
        self.assertFalse(self.tally.all_reported())


if __name__ == "__main__":
    unittest.main()
