"""Measuring networks on a test set."""
