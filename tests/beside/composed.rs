//! Contexts made of contexts, and several contexts around one block.
