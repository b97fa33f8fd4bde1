"""The greeter, with gRPC's own defaults: a balancer tells clients what changes, so no connection need end for that."""

import sys

import greeter_server

if __name__ == "__main__":
    sys.exit(greeter_server.main())
