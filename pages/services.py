"""services."""
import streamlit as st
st.header("services", anchor=False)
