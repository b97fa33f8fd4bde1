"""The Kubernetes that the lab stands for."""

KUBERNETES = "1.34"  # whose schemas it validates with
GIT_VERSION = f"v{KUBERNETES}.0-lab"
