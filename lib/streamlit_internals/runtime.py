"""Streamlit's runtime on storages of our own."""

import streamlit as st
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.media_file_storage import MediaFileStorage
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.session_manager import SessionStorage
from streamlit.runtime.uploaded_file_manager import UploadedFileManager
from streamlit.web.cache_storage_manager_config import create_default_cache_storage_manager


def use_storages(
    app: st.App,
    downloads: MediaFileStorage,
    sessions: SessionStorage,
    uploads: UploadedFileManager,
) -> None:
    """Make `app` keep downloads, closed sessions and dropped files in these.

    `streamlit run` finds an application by reading `st.App(` in its source, so it cannot be a
    subclass; and st.App has no parameter for any of the three.
    """

    def create_runtime() -> Runtime:
        return Runtime(
            RuntimeConfig(
                script_path=str(app._resolve_script_path()),  # noqa: SLF001
                media_file_storage=downloads,
                uploaded_file_manager=uploads,
                cache_storage_manager=create_default_cache_storage_manager(),
                is_hello=False,
                session_storage=sessions,
                on_script_error=app._on_script_error,  # noqa: SLF001
            )
        )

    app._create_runtime = create_runtime  # type: ignore[method-assign]  # noqa: SLF001


def session_id() -> str:
    """Return Streamlit's id of the browser session that this run is for; empty outside of a run."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""
