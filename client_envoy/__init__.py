"""The second cure: an Envoy beside the client picks a pod for every call, and the client knows nothing of it."""
