"""Every wait of the browser's tests is on a condition; no browser is needed to see that."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: The browser's tests, and what they are made of.
FOLDERS = (HERE, HERE.parent / "support")
SLEEPS = {"sleep", "wait_for_timeout"}
WITH_SECONDS = {
    *("wait", "wait_for", "join", "settimeout"),
    *("set_default_timeout", "set_default_navigation_timeout"),
}
# Loops that look again and again: their clock, and the pause between two looks; how long they and
# the end of a process may take; and the moment of a kill, which is drawn at random.
ALLOWED = {
    "browser.py": ["monotonic", "monotonic", "wait_for_timeout"],
    "gateways.py": ["wait", "wait_for"],
    "kill.py": ["sleep"],
    "processes.py": [*["monotonic"] * 4, *["sleep"] * 2, "urlopen"],
    "servers.py": ["wait"],
    # The time between a click and a reload is what is tested; so is that of a closed lid.
    "test_lost_csv.py": ["wait_for_timeout", "wait_for_timeout"],
}


def is_number(node: ast.expr) -> bool:
    """Tell whether a number is written there, or a sum of numbers."""
    if isinstance(node, ast.BinOp):
        return is_number(node.left) and is_number(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def waits_in(source: str) -> list[str]:
    """Return the calls that wait for a time instead of a condition, or keep one's own clock."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        numbers = [k for k in node.keywords if k.arg == "timeout" and is_number(k.value)]
        if name in WITH_SECONDS:
            numbers += [argument for argument in node.args if is_number(argument)]
        if numbers or name in {*SLEEPS, "monotonic"}:
            found.append(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(1)",
        "sleep(pause)",
        "tab.page.wait_for_timeout(20)",
        "threading.Event().wait(3)",
        "wait_for(lambda: done, 20)",
        "expect(cell).to_be_visible(timeout=5_000)",
        "socket.recv(timeout=2 * 10)",
        "context.set_default_timeout(20_000)",
        "deadline = time.monotonic() + PATIENCE",
    ],
)
def test_a_time_in_place_of_a_condition_is_found(source):
    """Each way to wait for a time."""
    assert len(waits_in(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "expect(cell).to_be_visible(timeout=PATIENCE)",
        "tab.wait_for(lambda: done, 'it is not done')",
        "thread.join()",
        "time.time() - 13 * 3600",
    ],
)
def test_a_wait_for_a_condition_is_no_finding(source):
    """What the tests may do."""
    assert waits_in(source) == []


def test_every_wait_is_on_a_condition():
    """In all files of both folders; how long a condition may take has one name."""
    files = [path for folder in FOLDERS for path in folder.glob("*.py")]
    assert len(files) > 40
    found = {path.name: waits_in(path.read_text()) for path in files if path != Path(__file__)}
    assert {name: sorted(calls) for name, calls in found.items() if calls} == ALLOWED
