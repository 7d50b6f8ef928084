"""The dashboard as a person meets it: a real Chromium, and the words on the screen."""

import contextlib
import csv
import io
import re
import time
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Download, Locator, Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

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
OVER = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
SELECTED = re.compile(r"^(None|[\d,]+) selected$")
COLUMNS = ("Select", "Name", "Username", "Email", "API Token", "Requested", "Last used", "Expires")


class Browsing:
    """One tab. Methods are named after what a person does."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self._asked = self._seen = 0
        self._answered = True
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        """Read Streamlit's own messages: which runs the browser asks for, and which are over."""

        def sent(frame: str | bytes) -> None:
            asked = BackMsg.FromString(bytes(frame, "latin-1") if isinstance(frame, str) else frame)
            if asked.HasField("rerun_script") and not asked.rerun_script.is_auto_rerun:
                self._asked += 1
                self._answered = False

        def received(frame: str | bytes) -> None:
            told = ForwardMsg.FromString(frame if isinstance(frame, bytes) else frame.encode())
            if told.HasField("script_finished"):
                self._answered = told.script_finished in OVER

        socket.on("framesent", sent)
        socket.on("framereceived", received)

    def open(self, path: str = "") -> None:
        """Type an address."""
        self.page.goto(f"{self.address}/{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the last click was sent, answered to its end, and drawn."""
        deadline = time.monotonic() + 30
        while self._asked == self._seen or not self._answered:
            assert time.monotonic() < deadline, "the last click was not answered"
            self.page.wait_for_timeout(20)
        self._seen = self._asked
        expect(
            self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        ).to_be_visible(timeout=30_000)
        expect(self.page.locator('[data-stale="true"]')).to_have_count(0, timeout=30_000)

    def heading(self, text: str) -> None:
        """Expect the page's title."""
        expect(self.page.get_by_role("heading", name=text, exact=True)).to_be_visible()

    def menu(self, item: str) -> None:
        """Choose an item of the menu, and expect it to be marked as current."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=item, exact=True).click()
        self.settle()

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
        box.press("Enter")
        self.settle()

    def button(self, name: str) -> Locator:
        """Return a button by its words."""
        return self.page.get_by_role("button", name=name, exact=True)

    def click(self, name: str) -> None:
        """Click a button."""
        self.button(name).click()
        self.settle()

    def search(self, text: str) -> None:
        """Search users."""
        field = self.page.get_by_label("Search users")
        field.fill(text)
        field.press("Enter")
        self.settle()

    def tick(self, rows: Iterable[int]) -> None:
        """Tick users by their row on the page, with the keyboard: Space in the Select column."""
        for row in rows:
            cell = self.page.get_by_test_id(f"glide-cell-0-{row}").first
            self._step_to(row, cell)
            count = self.page.get_by_text(SELECTED).first
            before = count.inner_text()
            self.page.keyboard.press("Space")
            self.settle()
            # What is chosen next depends on it: the menu's names are others for one and for many.
            expect(count).not_to_have_text(before, timeout=15_000)

    def _step_to(self, row: int, cell: Locator) -> None:
        """Move the cursor to Select in `row`; a grid that has just come takes no keys yet."""
        deadline = time.monotonic() + 15
        while cell.get_attribute("aria-selected") != "true":
            assert time.monotonic() < deadline, "the table takes no keys"
            self.page.locator('canvas[data-testid="data-grid-canvas"]').first.focus()
            self.page.keyboard.press("Control+Home")
            for _ in range(row):
                self.page.keyboard.press("ArrowDown")
            # The table behind the canvas, for screen readers, follows 200 ms after the last key.
            with contextlib.suppress(AssertionError):
                expect(cell).to_have_attribute("aria-selected", "true", timeout=1_000)

    def cell(self, row: int, column: str) -> str:
        """Return the text of a table cell as a screen reader gets it."""
        at = COLUMNS.index(column)
        return self.page.get_by_test_id(f"glide-cell-{at}-{row}").first.inner_text()

    def selected(self, sentence: str) -> None:
        """Expect the count of selected users."""
        expect(self.page.get_by_text(sentence, exact=True)).to_be_visible()

    def dialog(self) -> Locator:
        """Return the open dialog."""
        return self.page.get_by_role("dialog")

    def type_to_confirm(self, users: int) -> None:
        """Go on to the second confirmation and type how many users get a new token."""
        self.click("Continue")
        self.page.get_by_label(f"Type {users} to confirm").fill(str(users))
        expect(self.button("Replace tokens and download CSV")).to_be_enabled()

    def generate(self, users: int) -> Download:
        """Go through both confirmations for `users` users and return the CSV's download."""
        self.type_to_confirm(users)
        with self.page.expect_download() as started:
            self.button("Replace tokens and download CSV").click()
        return started.value

    def picture(self, name: str) -> None:
        """Keep a screenshot."""
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower())}.png")


def rows_of(download: Download) -> list[dict[str, str]]:
    """Return a downloaded CSV's rows."""
    text = Path(download.path()).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))
