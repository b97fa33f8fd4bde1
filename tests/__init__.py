"""What holds for the whole repository, and what the strategies' own tests share."""
