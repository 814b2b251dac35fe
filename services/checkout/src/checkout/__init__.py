"""Transactions, products, practitioners and their ranking."""
