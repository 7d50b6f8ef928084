"""The rules of the product. This package uses the standard library only, and does no I/O."""
