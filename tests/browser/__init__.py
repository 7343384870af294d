"""Tests that operate the notebooks in a browser."""
