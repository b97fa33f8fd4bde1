"""Speed and memory, measured in one run: figures for people, never asserted, because machines are shared and noisy."""
