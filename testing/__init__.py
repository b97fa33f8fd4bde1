"""What tests are made with: real servers, a DNS server and Envoy, on loopback addresses of their own.

A module with a strategy's name has what that strategy's tests alone need. Only tests and benchmarks import these.
"""
