"""What is Streamlit-aware: state, pickers, the token table, confirmations, wording."""
