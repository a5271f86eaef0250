"""Which few frames to mark exhaustively, and what they would be worth."""
