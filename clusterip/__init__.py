"""The problem: one connection through a ClusterIP, and one pod does all the work."""
