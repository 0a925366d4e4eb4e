"""Tests of every pair of regions between two groups."""
