"""coverage."""
import streamlit as st
st.header("coverage", anchor=False)
