"""Labels, sentences and formats, without Streamlit: for pages and commands."""
