"""The components in small scripts: message, dialog and filters."""

import logging

import pytest
from streamlit.testing.v1 import AppTest


def script() -> None:
    """Draw a message and the buttons that make one."""
    import streamlit as st  # noqa: PLC0415

    from lib.domain.errors import NothingToDoError  # noqa: PLC0415
    from lib.ui.components import message  # noqa: PLC0415

    def fail() -> None:
        with message.errors_as_message():
            raise NothingToDoError

    message.render_message()
    st.button("Do", on_click=message.say, args=("Done.",))
    st.button("Note", on_click=message.note, args=("Gone.",))
    st.button("Fail", on_click=fail)
    st.button("Nothing")


def dialog_script() -> None:
    """Draw a dialog of two steps, which fails at the end."""
    import streamlit as st  # noqa: PLC0415

    from lib.domain.errors import NothingToDoError  # noqa: PLC0415
    from lib.ui.components import dialog, message  # noqa: PLC0415
    from lib.ui.components.dialog import Dialog, DialogButton  # noqa: PLC0415

    class Opened:
        step, error = 1, None

    opened = st.session_state.setdefault("opened", Opened())

    def go_on() -> None:
        opened.step += 1
        if opened.step > 2:
            with message.errors_in(opened):
                raise NothingToDoError

    def close() -> None:
        opened.step, opened.error = 0, None

    def describe() -> Dialog | None:
        return opened.step and Dialog(
            "test",
            f"Step {opened.step}?",
            "About it",
            body=lambda: opened.step < 2 or st.checkbox("Sure"),
            quiet=DialogButton("Cancel", "test_cancel", close),
            primary=DialogButton("Go", "test_go", go_on),
            dismiss=close,
            error=opened.error,
        )

    dialog.render_dialog(describe)


def choice_script() -> None:
    """Draw a selectbox and what it returns."""
    import streamlit as st  # noqa: PLC0415

    from lib.ui.components import filters  # noqa: PLC0415

    st.text(repr(filters.choice("Which", {"": "Any", "a": "A"}, "which", 140)))


class TestMessage:
    """Shown once, then cleared; an error looks like an error and is logged."""

    @pytest.mark.parametrize(
        ("button", "kind", "text"),
        [
            (0, "success", "Done."),
            (1, "info", "Gone."),
            (2, "error", "Nothing was done: none of the selected users would change."),
        ],
    )
    def test_message_is_shown_once(self, button, kind, text):
        """The next run has none."""
        at = AppTest.from_function(script).run()
        at.button[button].click().run()
        assert [each.value for each in at.get(kind)] == [text]
        at.button[3].click().run()
        assert not (*at.success, *at.info, *at.error)

    def test_error_is_logged_by_its_code(self, caplog):
        """Its sentence is for the person."""
        at = AppTest.from_function(script).run()
        with caplog.at_level(logging.WARNING, "lib.ui.components.message"):
            at.button[2].click().run()
        assert [r.getMessage() for r in caplog.records if r.name.startswith("lib.")] == [
            "refused: NothingToDo"
        ]


class TestChoice:
    """A selectbox of a filter."""

    @pytest.mark.parametrize("old", ["gone", None, ["a"], 7])
    def test_choice_that_is_no_longer_offered_is_the_default(self, old):
        """A session state of another version does no harm."""
        at = AppTest.from_function(choice_script)
        at.session_state["which"] = old
        at.run()
        assert not at.exception
        assert [text.value for text in at.text] == ["''"]
        at.selectbox[0].set_value("a").run()
        assert [text.value for text in at.text] == ["'a'"]


class TestDialog:
    """One dialog for all confirmations."""

    def test_dialog_of_two_steps_changes_its_title_and_closes(self):
        """The second step can be confirmed when its box is ticked."""
        at = AppTest.from_function(dialog_script).run()
        assert [d.title for d in dialogs(at)] == ["Step 1?"]
        at.button(key="test_go").click().run()
        assert [d.title for d in dialogs(at)] == ["Step 2?"]
        assert at.button(key="test_go").disabled
        at.checkbox[0].check().run()
        assert not at.button(key="test_go").disabled
        at.button(key="test_cancel").click().run()
        assert not dialogs(at)

    def test_error_in_a_dialog_replaces_its_body_and_can_be_closed(self):
        """Only Close is left, for nothing can be looked at again."""
        at = AppTest.from_function(dialog_script).run()
        at.button(key="test_go").click().run()
        at.checkbox[0].check().run()
        at.button(key="test_go").click().run()
        assert [e.value for e in at.error] == [
            "Nothing was done: none of the selected users would change."
        ]
        assert [b.key for b in at.button] == ["test_close"]
        at.button(key="test_close").click().run()
        assert not dialogs(at)


def dialogs(at: AppTest) -> list:
    """Return the open dialogs."""
    found = [block.proto for block in blocks(at._tree) if block.proto]
    return [proto.dialog for proto in found if proto.HasField("dialog")]


def blocks(block) -> list:
    """Return all blocks within a block."""
    inner = [child for child in block.children.values() if hasattr(child, "children")]
    return [block for child in inner for block in (child, *blocks(child))]
