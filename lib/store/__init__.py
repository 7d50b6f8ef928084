"""Tables, migrations, engine and queries: the only place that knows SQL."""
