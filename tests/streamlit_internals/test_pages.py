"""The requested page of a run, and how another page is opened instead."""

from streamlit.testing.v1 import AppTest


def script():
    """Draw two pages. With `?instead`, the second one is opened in any case."""
    import streamlit as st  # noqa: PLC0415 - AppTest runs this function as a file of its own

    from lib.streamlit_internals.pages import open_instead, requested_page  # noqa: PLC0415

    def first() -> None:
        st.title("First")

    def second() -> None:
        st.title("Second")

    pages = [st.Page(first, default=True), st.Page(second)]
    st.caption(requested_page(pages).title)
    if "instead" in st.query_params:
        open_instead(pages[1])
    st.navigation(pages).run()


def test_a_run_without_a_page_requests_the_default_page():
    """As the first run at the root does."""
    at = AppTest.from_function(script).run()
    assert (at.caption[0].value, at.title[0].value) == ("first", "First")


def test_another_page_is_opened_in_the_same_run():
    """Nothing of the requested page is drawn."""
    at = AppTest.from_function(script)
    at.query_params["instead"] = "1"
    at.run()
    assert (at.caption[0].value, [title.value for title in at.title]) == ("first", ["Second"])
