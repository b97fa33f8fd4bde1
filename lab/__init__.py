"""A Kubernetes the size of a laptop: the same API, the same manifests, pods as processes (see README.md)."""
