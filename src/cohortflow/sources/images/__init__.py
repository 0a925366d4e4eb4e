"""Images and label maps of untrusted files: read in a process of their own, within limits."""
