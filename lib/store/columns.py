"""SQL that is made from our own rows and rules: lists of columns, and when a token is unexpired."""


def select_list(row: type[tuple[object, ...]], alias: str, **expressions: str) -> str:
    """Return the SELECT list of a NamedTuple, whose rows `row._make` then takes.

    It has an expression for each field, in the order of the fields: the one of that name in
    `expressions`, else the column of that name of the table `alias`. So a row is mapped by name
    once, when the statement is made, and costs nothing at each row. Raises ValueError for an
    expression without a field.
    """
    fields: tuple[str, ...] = row._fields  # type: ignore[attr-defined]  # every NamedTuple has them
    unknown = expressions.keys() - set(fields)
    if unknown:
        msg = f"{row.__name__} has no field {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    return ", ".join(f"{expressions.get(name, f'{alias}.{name}')} AS {name}" for name in fields)


def unexpired(alias: str) -> str:
    """Return the condition that a row of `token` has not expired at `:now`.

    A live row is one whose state is live (a literal, see lib.store.tables) and that is unexpired.
    """
    return f"({alias}.expires_at IS NULL OR {alias}.expires_at > :now)"
