"""Study lm-bits: bits per character of a language model against bits."""
