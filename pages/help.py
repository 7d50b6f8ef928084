"""help."""
import streamlit as st
st.header("help", anchor=False)
