"""What leaves the repository: the story in three sentences, the report, the book and the teacher pack.

All of it is made from the ledger, the recorded figures and course.toml. `typst` and Sphinx are only needed here.
"""
