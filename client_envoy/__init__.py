"""The first cure: the client learns every pod from a headless Service and takes turns."""
