"""Private names of Streamlit 1.67, and nothing else: what its public side has no word for.

Each module is a seam with its own test. A new version that moves one of these names fails there.
"""
