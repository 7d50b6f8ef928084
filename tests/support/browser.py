"""The dashboard as a person meets it: a real Chromium, and the words on the screen."""

import contextlib
import csv
import io
import itertools
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from playwright.sync_api import Download, Locator, Page, WebSocket, expect
from playwright.sync_api import Error as PlaywrightError

from tests.support.reruns import Reruns

ARTIFACTS = Path(__file__).parents[2] / ".artifacts"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: The page on which most tests begin: the API tokens of one organization and service.
TOKENS = "api-tokens?org=UTCJF1&service=erecording"
PATIENCE = 60  # seconds that a condition may take before a test gives up
_LOOK_AGAIN = 20  # milliseconds between two looks at a condition
_PRESS_AGAIN = 1_000  # milliseconds after which keys that have had no effect are pressed again
_IS_DRAWN = """() => new Promise(answer =>
    requestAnimationFrame(() => requestAnimationFrame(() => answer(
        !!document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        && !document.querySelector('[data-stale="true"]')))))"""
_GO_FORWARD = """address => {
    history.pushState(null, '', address);
    dispatchEvent(new PopStateEvent('popstate'));
}"""
_CONFIRMS = re.compile(r"^(Request|Remove|Cancel) [\d,]+ (token|request)s?$")
_DOWNLOADS = re.compile(r"^(Replace tokens|Generate) and download CSV$")
_SELECTED = re.compile(r"^(None|[\d,]+) selected(,|$)")
_Event: TypeAlias = Literal["websocket", "request", "response", "dialog"]
COLUMNS = ("Select", "Name", "Username", "Email", "API Token", "Requested", "Last used", "Expires")


class Tab:
    """One tab. Methods are named after what a person does."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self._listeners: list[tuple[_Event, Callable[..., None]]] = []
        self._reruns = Reruns()
        self.listen("websocket", self._follow)

    def listen(self, event: _Event, handler: Callable[..., None]) -> None:
        """Call `handler` at each such event of the page, until `stop_listening`."""
        self.page.on(event, handler)
        self._listeners.append((event, handler))

    def stop_listening(self) -> None:
        """Remove every listener: another test may use the page."""
        for event, handler in self._listeners:
            self.page.remove_listener(event, handler)
        self._listeners.clear()

    def _follow(self, socket: WebSocket) -> None:
        """Read Streamlit's own messages; each page load has a WebSocket of its own."""
        reruns = self._reruns = Reruns()
        socket.on("framesent", lambda frame: reruns.sent(_bytes(frame, "latin-1")))
        socket.on("framereceived", lambda frame: reruns.received(_bytes(frame, "utf-8")))

    def wait_for(self, condition: Callable[[], bool], failure: str) -> None:
        """Wait until something is so; `failure` is the error when it never is."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, failure
            self.page.wait_for_timeout(_LOOK_AGAIN)

    def another_tab(self) -> "Tab":
        """Open another tab of the same browser, with the same cookies."""
        return Tab(self.page.context.new_page(), self.address)

    def open(self, path: str = "") -> None:
        """Type an address."""
        with self.page_load():
            self.page.goto(f"{self.address}/{path}")

    def visit(self, path: str) -> None:
        """Go to an address of the dashboard that is open, without a page load, as Forward does."""
        with self.rerun():
            self.page.evaluate(_GO_FORWARD, f"/{path}")

    def reload(self) -> None:
        """Load the page anew."""
        with self.page_load():
            self.page.reload()

    @contextlib.contextmanager
    def page_load(self) -> Iterator[None]:
        """Wait for the page to which the block leads; what the page before asked for is over."""
        before = self._reruns
        self.page.bring_to_front()  # behind another tab it would draw about once a second
        yield
        self.wait_for(lambda: self._reruns is not before, "the page has opened no WebSocket")
        self.wait_for(lambda: self._is_settled(0), "the page was not answered, or not drawn")

    @contextlib.contextmanager
    def rerun(self) -> Iterator[None]:
        """Wait until what the block asks for was sent, answered to its end, and drawn."""
        before = self._reruns.requested
        yield
        self.wait_for(lambda: self._is_settled(before), "no rerun, or no end of it, or not drawn")

    def _is_settled(self, before: int) -> bool:
        """Tell whether there were requests after `before`, and all are answered and drawn."""
        requested = self._reruns.requested
        if requested <= before or self._reruns.pending or not self._is_drawn():
            return False
        return self._reruns.requested == requested  # nothing was asked for while it was drawn

    def _is_drawn(self) -> bool:
        """Let the page draw twice, then tell whether nothing in it is running or stale."""
        try:
            return bool(self.page.evaluate(_IS_DRAWN))
        except PlaywrightError:
            if self.page.is_closed():
                raise
            return False  # it was on its way to another page

    def expect_heading(self, text: str) -> None:
        """Expect the page's title."""
        expect(self.page.get_by_role("heading", name=text, exact=True)).to_be_visible()

    def menu(self, item: str) -> None:
        """Choose an item of the menu."""
        menu = self.page.get_by_test_id("stSidebarNav")
        self.click(menu.get_by_role("link", name=item, exact=True))

    def current_menu_item(self) -> str:
        """Return the item that is marked as current."""
        current = self.page.get_by_test_id("stSidebarNav").locator('[aria-current="page"]')
        expect(current).to_have_count(1)
        return current.inner_text().strip().splitlines()[-1]

    def pick(self, label: str, option: str) -> None:
        """Pick an option of a selectbox."""
        box = self.page.get_by_role("combobox", name=label)
        box.click()
        box.fill(option)
        with self.rerun():
            box.press("Enter")

    def button(self, name: str) -> Locator:
        """Return a button by its words."""
        return self.page.get_by_role("button", name=name, exact=True)

    def confirming_button(self) -> Locator:
        """Return the button of a confirmation that is the only one: it names the deed."""
        return self.page.get_by_role("button", name=_CONFIRMS)

    def download_button(self) -> Locator:
        """Return the button of the last confirmation of Generate & Export."""
        return self.page.get_by_role("button", name=_DOWNLOADS)

    def click(self, what: str | Locator) -> None:
        """Click a button, by its words, or a link."""
        with self.rerun():
            (self.button(what) if isinstance(what, str) else what).click()

    def press(self, key: str) -> None:
        """Press a key that the page answers."""
        with self.rerun():
            self.page.keyboard.press(key)

    def enter(self, label: str, text: str) -> None:
        """Fill in a field, and press Enter."""
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        with self.rerun():
            field.press("Enter")

    def search(self, text: str) -> None:
        """Search users."""
        self.enter("Search users", text)

    def go_back(self, path: str) -> None:
        """Press the browser's Back, which leads to this address."""
        with self.rerun():
            self.page.go_back()
            self.page.wait_for_url(f"{self.address}/{path}")

    def tick(self, rows: Iterable[int]) -> None:
        """Tick users by their row on the page, with the keyboard: Space in the Select column."""
        rows = sorted(rows)
        count = self.page.get_by_text(_SELECTED).first
        selected = _number(count.inner_text()) + len(rows)
        self.step_to(rows[0])
        with self.rerun():
            self.page.keyboard.press("Space")
            for previous, row in itertools.pairwise(rows):
                self._down(row - previous)
                self.page.keyboard.press("Space")
            # What comes next depends on it: the Actions menu is another one for one and for many.
            expect(count).to_have_text(re.compile(rf"^{selected:,} selected"))

    def step_to(self, row: int, column: int = 0, *, focus: bool = True) -> None:
        """Move the grid's cursor to a row; without `focus` the grid must have the focus.

        A grid that has just come takes no keys yet, so they are pressed until they have arrived.
        """
        canvas = self.page.locator('canvas[data-testid="data-grid-canvas"]').first
        cell = self.page.get_by_test_id(f"glide-cell-{column}-{row}").first

        def has_moved() -> bool:
            if focus:
                canvas.focus()
            self.page.keyboard.press("Control+Home")
            self._down(row)
            with contextlib.suppress(AssertionError):
                # The table behind the canvas, for screen readers, follows 200 ms after the keys.
                expect(cell).to_have_attribute("aria-selected", "true", timeout=_PRESS_AGAIN)
                return True
            return False

        self.wait_for(has_moved, "the table takes no keys")

    def _down(self, rows: int) -> None:
        for _ in range(rows):
            self.page.keyboard.press("ArrowDown")

    def cell(self, row: int, column: str) -> str:
        """Return the text of a table cell as a screen reader gets it."""
        at = COLUMNS.index(column)
        return self.page.get_by_test_id(f"glide-cell-{at}-{row}").first.inner_text()

    def expect_selected(self, sentence: str) -> None:
        """Expect the count of selected users."""
        expect(self.page.get_by_text(sentence, exact=True)).to_be_visible()

    def dialog(self) -> Locator:
        """Return the open dialog."""
        return self.page.get_by_role("dialog")

    def type_to_confirm(self, users: int) -> None:
        """Go on to the second confirmation and type how many users get a new token."""
        self.click("Continue")
        with self.rerun():  # what is typed is sent without Enter
            self.page.get_by_label(f"Type {users:,} to confirm").fill(str(users))
        expect(self.download_button()).to_be_enabled()

    def generate(self, users: int) -> Download:
        """Go through both confirmations to the receipt; return the CSV's download."""
        self.type_to_confirm(users)
        with self.page.expect_download() as started:
            self.download_button().click()
        receipt = re.compile(rf"^{users:,} tokens? generated and exported")
        expect(self.page.get_by_text(receipt)).to_be_visible()
        self.wait_for(self._is_drawn, "the page of the receipt is not drawn")
        return started.value

    def screenshot(self, name: str) -> None:
        """Keep a screenshot, if $SCREENSHOTS is set."""
        if not os.environ.get("SCREENSHOTS"):
            return
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower())}.png"
        self.page.screenshot(path=path, animations="disabled")


def _number(selected: str) -> int:
    """Return how many users a count of selected users means."""
    number = selected.partition(" ")[0].replace(",", "")
    return 0 if number == "None" else int(number)


def _bytes(frame: str | bytes, encoding: str) -> bytes:
    return frame.encode(encoding) if isinstance(frame, str) else frame


def rows_of(download: Download) -> list[dict[str, str]]:
    """Return a downloaded CSV's rows."""
    text = Path(download.path()).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))
