"""The container runtime: a container is a process behind a shim, and nothing outlives either."""
