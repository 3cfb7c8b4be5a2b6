"""Studies of resolution: keyword spotting and a language model."""
