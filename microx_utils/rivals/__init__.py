"""The systems that MicroX is compared with (Table 2), and late fusion of components (section VII)."""
