"""The greeter with gRPC's own defaults: a connection lives until one side goes away."""

import sys

import greeter_server

if __name__ == "__main__":
    sys.exit(greeter_server.main())
