"""Constants that tests share."""

NOW = 1_796_000_000_000  # 2026-11-30T00:53:20Z, in milliseconds
