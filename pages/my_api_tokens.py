"""my_api_tokens."""
import streamlit as st
st.header("my_api_tokens", anchor=False)
