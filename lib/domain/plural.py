"""Singular and plural of counted nouns."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return `number` with its noun: `1 user`, `2,500 users`. `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
