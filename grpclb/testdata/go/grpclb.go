//go:build grpclb

package main

// Registers the policy, and has the DNS resolver ask for SRV records: without this import there is neither.
import _ "google.golang.org/grpc/balancer/grpclb"
