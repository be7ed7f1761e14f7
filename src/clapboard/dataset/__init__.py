"""Data sets: talking faces found in video files, kept as crops and sound in shards that training reads from disk."""
