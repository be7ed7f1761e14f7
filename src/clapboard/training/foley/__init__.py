"""Learning to make sound from silent picture."""
