//! What is drawn fast is what is defined, whatever piece is asked for.
