"""What the browser meets before Streamlit: headers, the loopback gate, the life of a download."""
