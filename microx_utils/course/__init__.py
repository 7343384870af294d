"""The course: its notebooks and their figures, the paper's numbers and claims, and the pages made of them."""
