"""Persistent homology under the Vietoris–Rips filtration."""
