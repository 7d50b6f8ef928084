"""Tables, migrations, connections and queries. No other package has SQL."""
