"""The command line: run the notebooks, check the machine, fetch and list data."""
