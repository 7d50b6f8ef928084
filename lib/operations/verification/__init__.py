"""Verification of tokens for services and gateways, and the recording of their use."""
