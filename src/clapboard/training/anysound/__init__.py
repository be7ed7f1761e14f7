"""Sync for any sound: what is drawn from scenes, clips in which anything is seen that sounds, to learn when."""
