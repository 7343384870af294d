"""The course: its notebooks and their figures, the paper's numbers and claims, and the pages made of them.

Start with `lesson`, which every notebook imports, and `runner`, which runs them; course.toml lists the notebooks.
"""
