"""Read leaked files for tokens: streams in pieces, and archives within limits.

`reader` is the entry. Nothing is written to disk, except a zip archive from a pipe: it is read from
its end, so it goes to a temporary file without a name.
"""
