"""The Streamlit side: session state, sign-in, navigation, components and the parts of each page."""
