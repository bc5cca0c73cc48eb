import unittest
from decimal import Decimal

from ledger.parse import parse
from ledger.totals import average, by_account


class TotalsTest(unittest.TestCase):
    def test_adds_up_by_account(self):
        entries = parse("2026-11-21 food 1\n2026-11-22 food 2\n2026-11-22 tram 3\n")
        self.assertEqual(by_account(entries), {"food": Decimal(3), "tram": Decimal(3)})

    def test_average_of_nothing_is_zero(self):
        self.assertEqual(average([]), 0)


if __name__ == "__main__":
    unittest.main()
