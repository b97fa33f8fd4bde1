"""The contract: `helloworld.proto` and the stubs generated from it by `tox -e protos`, shared by every strategy.

Beside it, what else servers, clients and compare must read alike: durations.
"""
