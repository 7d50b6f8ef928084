"""organizations."""
import streamlit as st
st.header("organizations", anchor=False)
