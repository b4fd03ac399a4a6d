//! The nouns and the decisions.
