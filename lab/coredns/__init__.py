"""CoreDNS: the names of Services, and a cache that remembers what is no longer so."""
