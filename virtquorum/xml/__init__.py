"""Between text and model: safe reading, parsing, formatting, and the lossless document."""
