"""What a check found, for people and for programs: one file per format."""
