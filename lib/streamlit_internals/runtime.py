"""Streamlit's runtime with our own storages."""

import streamlit as st
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.media_file_storage import MediaFileStorage
from streamlit.runtime.session_manager import SessionStorage
from streamlit.runtime.uploaded_file_manager import UploadedFileManager
from streamlit.web.cache_storage_manager_config import create_default_cache_storage_manager


def use_storages(
    app: st.App,
    downloads: MediaFileStorage,
    sessions: SessionStorage,
    uploads: UploadedFileManager,
) -> None:
    """Make `app` keep downloads, disconnected sessions and uploaded files in these storages.

    st.App has no parameter for them. It cannot be a subclass either: `streamlit run` finds an
    application by the text `st.App(` in its source.
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
