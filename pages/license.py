"""license."""
import streamlit as st
st.header("license", anchor=False)
