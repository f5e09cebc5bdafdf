//! Claims about the index as a whole.
