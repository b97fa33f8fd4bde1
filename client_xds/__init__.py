"""A control plane tells the client, or the Envoy beside it: xDS, fed by the Kubernetes API."""
