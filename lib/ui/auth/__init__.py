"""Who is signed in, the sign-in pages, and the permission checks of pages."""
