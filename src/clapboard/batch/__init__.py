"""Very many clips: a scorer that other programs can spread over processes and machines, and one that does it itself."""
