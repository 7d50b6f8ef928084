"""The page that a run is requested for, known before anything is sent to the browser.

`st.navigation` returns it too, but also sends the menu, and with it the address, to the browser.
"""

from collections.abc import Iterable

from streamlit import Page
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx


def requested_page(pages: Iterable[Page]) -> Page:
    """Return the one of `pages` that this run is requested for; the default page if unknown.

    It resolves as `st.navigation` does: a click sends the page's hash, an address its URL path.
    Raises StopIteration when no page is the default.
    """
    manager = _pages_manager()
    known = list(pages)
    wanted, path = manager.intended_page_script_hash, manager.intended_page_name
    for page in known:
        if page._script_hash == wanted if wanted else path and page.url_path == path:  # noqa: SLF001
            return page
    return next(page for page in known if page._default)  # noqa: SLF001


def open_instead(page: Page) -> None:
    """Make `st.navigation` open `page` in this run instead of the requested page.

    Unlike `st.switch_page` it starts no second run, so the requested page gets no entry in the
    browser's history.
    """
    _pages_manager().set_script_intent(page._script_hash, "")  # noqa: SLF001


def _pages_manager() -> PagesManager:
    context = get_script_run_ctx()
    if context is None:
        msg = "pages are requested while a script runs"
        raise RuntimeError(msg)
    return context.pages_manager
