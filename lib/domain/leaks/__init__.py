"""The search of leaked tokens in bytes, whatever text encodings are wrapped around them.

All functions are pure. `search` is the entry; the other modules each remove one kind of wrapping.
`lib.operations.leak_reader` opens files and archives, and calls `search` piece by piece.
"""
