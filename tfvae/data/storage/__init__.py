"""Images in memory, in files, and streamed from their source."""
