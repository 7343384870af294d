"""Widgets for the notebooks: thin shells around plain functions, each with a static picture where nothing is live."""
