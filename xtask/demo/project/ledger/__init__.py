"""A small ledger: lines of text in, totals out."""
