"""Exact distances between persistence diagrams: Wasserstein of any order, and bottleneck."""
