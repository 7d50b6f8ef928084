"""All code that uses private names of Streamlit 1.67, for what its public API does not offer.

Each module has its own test. A new version of Streamlit that moves such a name fails there.
"""
