"""Labels, sentences and formats for pages, commands and mail. No Streamlit here."""
