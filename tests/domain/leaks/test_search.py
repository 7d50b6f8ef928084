"""The search of tokens in one piece of a leak."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.leaks.search import TokenSearch, holds_token
from lib.domain.token_format import is_well_formed, mint
from tests.support.leak_forms import (
    FORMS,
    in_base64,
    in_base64url,
    in_json,
    in_lines,
    quoted_printable,
    tar,
    unicode_escapes,
    with_invisible,
    zipped,
)
from tests.support.made_tokens import TOKENS, candidates

#: Each wraps any text in ASCII, whatever it holds.
WRAPPINGS = {
    "base64": in_base64,
    "base64url": in_base64url,
    "base64 of UTF-16": lambda text: in_base64(text, "utf-16-le"),
    "base64 in lines": lambda text: in_lines(in_base64(text), 76, "\r\n"),
    "quoted-printable": quoted_printable,
    "a URL": lambda text: quote(text, safe=""),
    "JSON": in_json,
    "JSON codes": unicode_escapes,
    "lines": in_lines,
    "zero-width spaces": with_invisible,
    "HTML codes": lambda text: "".join(f"&#{ord(c):02};" for c in text),
}
AROUND = st.text("abcXYZ019 .:,", max_size=40)
SEARCH = TokenSearch("demo")


def tokens_in(text: str, search: TokenSearch = SEARCH) -> list[str]:
    """Return the tokens in a text."""
    return list(search.search(text.encode(errors="replace")).tokens)


class TestSearch:
    """Search of tokens in any text."""

    @pytest.mark.parametrize("form", FORMS)
    def test_a_token_is_found_once_in_each_form(self, form):
        """A token is found once in each of the known forms of a leak."""
        (token,) = mint(1, "demo")
        assert tokens_in(FORMS[form](token)) == [token]

    @given(TOKENS, st.sampled_from(sorted(FORMS)), st.text(), st.text())
    def test_a_token_is_found_in_the_midst_of_any_text(self, token, form, before, after):
        """A token is found inside of text with escapes and with parts of tokens."""
        assert token in tokens_in(f"{before}{FORMS[form](token)}{after}")

    @given(TOKENS, st.text("demo_%25\\u064x[m\x1b", max_size=60), st.booleans())
    def test_a_token_is_found_behind_broken_escapes(self, token, debris, twice):
        """Cut or invalid escapes do not hide a token."""
        assert token in tokens_in(f"{debris}{token}{debris * twice}")

    @given(
        st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=6),
        st.lists(TOKENS, min_size=6, max_size=6, unique=True),
    )
    def test_every_token_is_found_when_several_forms_are_glued(self, forms, tokens):
        """Tokens in several forms, without anything between them, are all found."""
        leaked = tokens[: len(forms)]
        text = "".join(FORMS[form](token) for form, token in zip(forms, leaked, strict=True))
        assert set(leaked) <= set(tokens_in(text))

    def test_a_token_in_all_forms_counts_once(self):
        """Two tokens, each in all forms, are found as two tokens."""
        tokens = mint(2, "demo")
        text = "\n".join(form(token) for token in tokens for form in FORMS.values())
        assert sorted(tokens_in(text)) == sorted(tokens)

    @pytest.mark.parametrize("prefix", ["aa", "a1a1a1", "5f", "25", "u0064x41"])
    def test_a_token_of_any_prefix_is_found(self, prefix):
        """A prefix may repeat itself, or look like a part of an escape."""
        (token,) = mint(1, prefix)
        for text in (token, prefix + token, f"%{token}", f"%25{token}", f"\\{token}", token * 2):
            assert tokens_in(text, TokenSearch(prefix)) == [token]

    def test_chance_hits_are_none(self):
        """20,000 candidates with a wrong checksum are not found."""
        assert tokens_in(candidates(20_000)) == []

    @given(st.text())
    def test_any_text_is_searched_without_an_error(self, text):
        """Searching any text raises no error, and finds only well-formed tokens."""
        assert all(is_well_formed(token, "demo") for token in tokens_in(text))

    @given(st.binary(max_size=400))
    def test_any_bytes_are_searched_without_an_error(self, content):
        """Also those that begin like a container in base64."""
        for data in (content, base64.b64encode(b"PK\x03\x04" + content)):
            assert SEARCH.search(data).tokens == {}


class TestNesting:
    """Wrappings around wrappings."""

    @settings(max_examples=300)
    @given(
        TOKENS, st.lists(st.tuples(st.sampled_from(sorted(WRAPPINGS)), AROUND, AROUND), max_size=3)
    )
    def test_a_token_is_found_in_any_three_wrappings_at_any_offset(self, token, wrappings):
        """Each wrapping has other text before and after what it wraps."""
        text = token
        for name, before, after in wrappings:
            text = WRAPPINGS[name](f"{before}{text}{after}")
        assert token in tokens_in(text)

    @pytest.mark.parametrize("outer", WRAPPINGS)
    @pytest.mark.parametrize("inner", WRAPPINGS)
    def test_a_token_is_found_in_each_pair_of_wrappings(self, outer, inner):
        """In either order."""
        (token,) = mint(1, "demo")
        assert tokens_in(WRAPPINGS[outer](WRAPPINGS[inner](token))) == [token]


class TestContainers:
    """Containers in base64 are handed over, not opened."""

    @pytest.mark.parametrize("wrap", [in_base64, in_base64url, quoted_printable])
    def test_a_container_in_base64_is_handed_over_whole(self, wrap):
        """Glued to letters, and in other wrappings."""
        content = zipped(b"x" * 100)
        text = wrap(f"Basic{base64.b64encode(content).decode()}")
        found = SEARCH.search(text.encode())
        assert any(each.startswith(content) for each in found.containers)

    def test_a_container_at_the_end_of_a_piece_is_cut(self):
        """One that ends before the end is whole."""
        text = base64.b64encode(zipped(b"x" * 100))
        assert SEARCH.search(text.rstrip(b"=")).is_cut
        assert not SEARCH.search(text.rstrip(b"=") + b" .").is_cut

    def test_a_container_in_base64_lines_in_json_is_handed_over_once(self):
        """Not its first line alone, which would look like a damaged one."""
        content = zipped(b"x" * 100)
        found = SEARCH.search(in_json(base64.encodebytes(content).decode()).encode())
        assert list(found.containers) == [content]

    @pytest.mark.parametrize("before", ["", "Basic"])
    def test_a_tar_archive_in_base64_is_handed_over(self, before):
        """Its signature stands at byte 257."""
        content = tar(b"x" * 100, mode="w:")
        text = before + base64.b64encode(content).decode()
        assert list(SEARCH.search(text.encode()).containers) == [content]

    def test_the_beginning_of_gzip_by_chance_is_no_container(self):
        """Its bytes for speed and system have no meaning."""
        text = base64.b64encode(b"\x1f\x8b\x08\x00aaaa\x77\x77" + b"x" * 90)
        assert not SEARCH.search(text).containers


class TestHoldsToken:
    """What no search field may keep."""

    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
    def test_token_in_any_form_is_held(self, form):
        """As in Recall."""
        (token,) = mint(1, "demo")
        assert holds_token(form(token), "demo")

    def test_half_a_token_and_a_misspelt_one_are_held(self):
        """A field or a screen may have cut it."""
        (token,) = mint(1, "demo")
        for part in (token[:25], token[:-1], token[:-1] + "_", f"x{token[:30]} y"):
            assert holds_token(part, "demo"), part

    @pytest.mark.parametrize("text", ["", "demo_adoY", "demo_adoY…", "demo_johnson", "adoyle"])
    def test_names_and_hints_are_no_tokens(self, text):
        """They are searched."""
        assert not holds_token(text, "demo")
