"""Checkout over HTTP: parse, authorise, hand on, show."""
