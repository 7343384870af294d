"""What every part needs: errors, paths, caches, parallel work."""
