"""Which page a run is asked for, before the browser is told anything.

`st.navigation` tells, too, but it also sends the browser its menu, and with it the address.
"""

from collections.abc import Iterable

from streamlit import Page
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx


def requested_page(pages: Iterable[Page]) -> Page:
    """Return the one of `pages` that this run is asked for; the default page for an unknown one.

    It resolves as `st.navigation` does: a click names a page's hash, an address its url path.
    Raises StopIteration where no page is the default.
    """
    manager = _pages_manager()
    known = list(pages)
    wanted, path = manager.intended_page_script_hash, manager.intended_page_name
    for page in known:
        if page._script_hash == wanted if wanted else path and page.url_path == path:  # noqa: SLF001
            return page
    return next(page for page in known if page._default)  # noqa: SLF001


def open_instead(page: Page) -> None:
    """Let the `st.navigation` of this run open `page`, whatever was asked for.

    Unlike `st.switch_page` it begins no second run, so the page that was asked for leaves no entry
    in the browser's history.
    """
    _pages_manager().set_script_intent(page._script_hash, "")  # noqa: SLF001


def _pages_manager() -> PagesManager:
    context = get_script_run_ctx()
    if context is None:
        msg = "pages are requested while a script runs"
        raise RuntimeError(msg)
    return context.pages_manager
