"""A page per subject, and what stands beside them: numbers, their spread, which to make again."""
