import unittest
from decimal import Decimal

from ledger.parse import parse


class ParseTest(unittest.TestCase):
    def test_reads_entries_and_skips_comments(self):
        entries = parse("# November\n2026-11-21 food 12.50 lunch\n\n2026-11-22 tram 2.40\n")
        self.assertEqual([entry.account for entry in entries], ["food", "tram"])
        self.assertEqual(entries[0].amount, Decimal("12.50"))

    def test_refuses_what_is_no_amount(self):
        with self.assertRaises(ValueError):
            parse("2026-11-21 food twelve")


if __name__ == "__main__":
    unittest.main()
