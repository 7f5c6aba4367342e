"""Errors whose text is meant for the person at the keyboard."""

from __future__ import annotations


class UserError(Exception):
    """What is wrong and what to do, in one or two plain sentences.

    The command lines print it and exit with code 2; the demo shows it as a message.
    """
