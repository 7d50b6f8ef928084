"""What outsiders may guess at, and how often they may be wrong."""

from enum import Enum


class Guess(Enum):
    """What is guessed, and how often an hour an address may be wrong."""

    CREDENTIALS = 100
    TOKEN = 1_000
