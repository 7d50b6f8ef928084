"""api_tokens."""
import streamlit as st
st.header("api_tokens", anchor=False)
