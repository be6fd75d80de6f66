//! What the patterns look like where it can be said beforehand.
