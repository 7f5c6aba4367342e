"""Coloring photographs."""
