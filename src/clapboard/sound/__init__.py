"""Sound: features of samples, and where there is speech."""
