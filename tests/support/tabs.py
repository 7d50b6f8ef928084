"""Tabs of one Chromium, each with cookies of its own, used by one test after the other."""

import contextlib
import shutil
from collections.abc import Callable, Iterator

from playwright.sync_api import Browser, Page, Playwright
from playwright.sync_api import Error as PlaywrightError

from tests.support.browser import CHROMIUM_ARGUMENTS, PATIENCE, Tab

_EMPTY_PAGE = "_stcore/health"  # of each dashboard; a page of the same server keeps its process
# What the policy refuses is noted in each page, so that a test can say that it was nothing.
_NOTE_REFUSALS = """window.refusedByPolicy = [];
document.addEventListener('securitypolicyviolation',
    e => window.refusedByPolicy.push(e.blockedURI))"""


def start_chromium(playwright: Playwright) -> Browser:
    """Start a real Chromium; its absence is a failure, not a skip."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "browser tests need Chromium: sh tests/run installs it"
    return playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))


class Tabs:
    """Tabs that are emptied instead of closed.

    A new tab takes one to three seconds longer for its first page: nothing of Streamlit is in its
    cache, and nothing is compiled.
    """

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._idle: list[Page] = []

    @contextlib.contextmanager
    def opener(self) -> Iterator[Callable[..., Tab]]:
        """Yield a function that opens tabs; all of them are emptied after the block."""
        opened: list[Tab] = []

        def open_tab(address: str, *, width: int = 1280, height: int = 800) -> Tab:
            page = self._idle.pop() if self._idle else self._new_page()
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            opened.append(Tab(page, address))
            return opened[-1]

        yield open_tab
        for tab in opened:
            tab.page.unroute_all(behavior="wait")  # a route on its way may use the other tabs
        for tab in opened:
            self._empty(tab)

    def _new_page(self) -> Page:
        context = self._chromium.new_context(accept_downloads=True)
        context.set_default_timeout(PATIENCE * 1000)
        context.add_init_script(_NOTE_REFUSALS)
        return context.new_page()

    def _empty(self, tab: Tab) -> None:
        """Remove listeners, further pages, cookies and storage; keep the process and its code."""
        tab.stop_listening()
        context = tab.page.context
        try:
            for other in context.pages:
                if other != tab.page:
                    other.close()
            context.clear_cookies()  # first, so that the next page is nobody's
            tab.page.goto(f"{tab.address}/{_EMPTY_PAGE}")
            tab.page.evaluate("localStorage.clear(), sessionStorage.clear()")
            context.clear_cookies()
        except PlaywrightError:  # the page hangs or has crashed
            context.close()
        else:
            self._idle.append(tab.page)
