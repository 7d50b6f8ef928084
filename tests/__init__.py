"""Tests, mirroring lib/."""
