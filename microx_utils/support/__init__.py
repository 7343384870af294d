"""What every room uses: errors that name a file, folders, caches with atomic writes, and parallel work.

Start with `errors.DataError` and `cache.content_key`. Nothing here imports the rest of the package.
"""
