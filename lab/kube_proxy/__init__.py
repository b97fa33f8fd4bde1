"""kube-proxy: a real Envoy that picks an endpoint for each connection to the address of a Service."""
