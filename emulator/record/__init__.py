"""What a run leaves behind: journal, digest and metrics."""
