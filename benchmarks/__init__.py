"""Measurements against a floor; see docs. Never part of the tests."""
