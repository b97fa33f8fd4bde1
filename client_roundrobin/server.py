"""The greeter that ends each connection after 5 s: that is when a client asks DNS again and finds the new pods.

5 s is for watching. In production 1 to 5 minutes do: every ended connection costs a handshake (gRFC A9). Clients may
ping every 5 s, to find out that a connection is dead: gRPC's default is 5 minutes, and it ends connections that ping
more often (gRFC A8).
"""

import sys

import greeter_server

if __name__ == "__main__":
    times = {"max_connection_age": "5s", "max_connection_age_grace": "10s", "permit_keepalive_time": "5s"}
    sys.exit(greeter_server.main(**times))
