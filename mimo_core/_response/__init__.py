"""What comes in: from bytes to chunks and answers."""
