"""A balancer tells the client: grpc.lb.v1, fed by the Kubernetes API."""
