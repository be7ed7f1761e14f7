"""Sync: from embeddings to an offset and the reasons to trust it. Pure functions of arrays."""
