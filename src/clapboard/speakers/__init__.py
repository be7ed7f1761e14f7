"""Who speaks when: distances of lips to sound become stretches of speech. Pure functions of arrays."""
