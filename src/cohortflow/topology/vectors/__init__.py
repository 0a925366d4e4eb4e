"""Vectors of fixed length from persistence diagrams."""
