"""The search of tokens in one piece of a leak, in text encodings nested in any order."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lib.domain.leaks import base64_blocks
from lib.domain.leaks.encoded_words import without_encoded_words
from lib.domain.leaks.escapes import without_escapes
from lib.domain.leaks.line_breaks import joined, with_line_breaks, without_tags
from lib.domain.leaks.texts import BORDER, texts
from lib.domain.token_format import CHECK_LENGTH, RANDOM_LENGTH, is_well_formed

# JSON inside of JSON inside of a URL has three layers of escapes.
_LAYERS = 4
# A Kubernetes secret inside of a mail has two layers of base64.
_BASE64_LAYERS = 4
#: Bytes that the wrapped form of one token takes at most: 200 for each of its characters.
LONGEST_WRAPPED = 10_000

#: Random characters of a cut token that count as a token: half of them.
_PART = RANDOM_LENGTH // 2

_STEPS: tuple[Callable[[bytes], bytes], ...] = (
    without_escapes,
    without_tags,
    without_encoded_words,
    with_line_breaks,
)


@dataclass(slots=True)
class Findings:
    """The tokens of one piece, and the containers in base64 that begin in it.

    `is_cut` tells whether one of these containers may go on behind the end of the piece.
    """

    tokens: dict[str, None] = field(default_factory=dict)
    containers: dict[bytes, None] = field(default_factory=dict)
    is_cut: bool = False


class TokenSearch:
    """A search of the tokens with one prefix."""

    def __init__(self, prefix: str) -> None:
        """Prepare the search of tokens that begin with `prefix` and an underscore."""
        self.prefix = prefix
        # Only the prefix is consumed, so the next candidate may begin inside this one.
        rest = f"[0-9A-Za-z]{{{RANDOM_LENGTH + CHECK_LENGTH}}}"
        self._candidate = re.compile(f"{prefix}_(?=({rest}))".encode())

    def search(self, piece: bytes) -> Findings:
        """Return what `piece` has: well-formed tokens, and containers in base64.

        A look-alike that overlaps a token does not hide it: its checksum is wrong.
        """
        findings = Findings()
        rests = self._candidates(piece, findings)
        tokens = (f"{self.prefix}_{rest.decode()}" for rest in rests)
        findings.tokens = {t: None for t in tokens if is_well_formed(t, self.prefix)}
        return findings

    def _candidates(self, data: bytes, findings: Findings) -> dict[bytes, None]:
        """Return what follows the prefix in `data` and in its base64; note the containers."""
        rests: dict[bytes, None] = {}
        text = texts(data)
        may_be_cut = data.endswith(text[-LONGEST_WRAPPED:])
        for _ in range(_BASE64_LAYERS + 1):
            rests.update(dict.fromkeys(self._candidate.findall(text)))
            blocks: dict[base64_blocks.Block, None] = {}
            for view in _views(text):
                rests.update(dict.fromkeys(self._candidate.findall(view)))
                blocks.update(dict.fromkeys(base64_blocks.blocks(view)))
            inner: dict[bytes, None] = {}
            for block in blocks:
                inner.update(dict.fromkeys(base64_blocks.contents(block)))
                for container in base64_blocks.containers(block):
                    findings.containers[container] = None
                    findings.is_cut |= block.at_end and may_be_cut
            may_be_cut &= any(block.at_end for block in blocks)
            text = BORDER.join(inner)
        return rests


def holds_token(text: str, prefix: str) -> bool:
    """Tell whether `text` has a token in it, or at least half of one: a cut or misspelt token."""
    part = re.search(rf"{prefix}_[0-9A-Za-z]{{{_PART}}}", text)
    return bool(part or TokenSearch(prefix).search(text.encode("utf-8", "replace")).tokens)


def _views(data: bytes) -> Iterator[bytes]:
    """Yield `data` as one line, then without its outer escapes or tags, and so on."""
    seen: set[bytes] = set()
    views = joined(data)
    for _ in range(_LAYERS + 1):
        inner: list[bytes] = []
        for view in views:
            if view not in seen:
                seen.add(view)
                yield view
                plain = (step(view) for step in _STEPS)
                inner += [line for each in plain if each is not view for line in joined(each)]
        views = inner
