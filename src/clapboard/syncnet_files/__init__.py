"""The files of the published SyncNet pipeline, for scripts that read them; see `clapboard.syncnet_files.export`."""
