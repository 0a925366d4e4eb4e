"""The sections a pipeline may name in its ``report`` list."""
