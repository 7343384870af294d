"""The systems that MicroX is compared with (Table 2), and late fusion of components (section VII).

Start with `systems`, which trains and scores every one of them on the same folds.
"""
