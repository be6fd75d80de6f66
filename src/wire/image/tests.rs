//! What is read, what is refused and where, and how large files become.
