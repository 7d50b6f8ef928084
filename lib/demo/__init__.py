"""Demo data. `python -m lib.demo` fills an empty database, SQLite or PostgreSQL."""
