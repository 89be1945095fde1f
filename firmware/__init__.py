"""The box: lines, calls, recordings and their safe keeping."""
