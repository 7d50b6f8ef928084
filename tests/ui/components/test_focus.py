"""Focus: its scripts and the content security policy."""

import base64
import hashlib
import re

from lib.ui.components import focus
from lib.ui.components.focus import Target


class TestScripts:
    """One script for each target, which never changes."""

    def test_policy_has_the_digest_of_each_script(self):
        """A browser runs an inline script only if the policy has the SHA-256 of its text."""
        digests = [hashlib.sha256(focus._script(target).encode()).digest() for target in Target]
        named = [f"sha256-{base64.b64encode(digest).decode()}" for digest in digests]
        assert focus.script_digests() == named
        assert len(set(named)) == len(Target)

    def test_script_has_the_selector_of_its_target(self):
        """No placeholder is left."""
        for target in Target:
            assert f"`{target.value}`" in focus._script(target)
            assert not re.search(r"\bSELECTOR\b", focus._script(target))
