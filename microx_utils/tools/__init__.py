"""The command `microx`: run the notebooks, check the machine, download and list data, check one's own recordings.

Start with `cli`, whose functions are the sub-commands.
"""
