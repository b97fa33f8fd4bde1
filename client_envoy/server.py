"""The greeter as it is: connections may live for ever, for Envoy asks DNS by itself, connection or not."""

import sys

import greeter_server

if __name__ == "__main__":
    sys.exit(greeter_server.main())
