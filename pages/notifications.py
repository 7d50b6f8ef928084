"""notifications."""
import streamlit as st
st.header("notifications", anchor=False)
