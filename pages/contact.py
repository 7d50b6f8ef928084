"""contact."""
import streamlit as st
st.header("contact", anchor=False)
