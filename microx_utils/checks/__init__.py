"""What the exercises answer: one module for each notebook, named by its topic, and `verdict`, which they share.

A check recognises the usual wrong answers by computing what they would give on the notebook's own data.
"""
