"""Where the lab differs from a cluster on purpose. A test that has to know says so by one of these names."""

DIFFERENCES = {
    "compaction": "there is no etcd: POST /lab/compact forgets how the objects came to be as they are",
    "dns-address": "DNS listens on an address for each namespace, on port 10053: its annotation lab/dns",
    "low-ports": "ports under 1024 move up by 10000: no user may listen on them",
    "source-address": "every packet comes from 127.0.0.1: pods share the machine's loopback",
}


class Cluster:
    """What the tests run on."""

    def __init__(self, *, is_lab: bool) -> None:
        self.is_lab = is_lab
        self.differences: list[str] = []  # those that mattered to the test

    def differs(self, name: str) -> bool:
        """Whether this is the lab, which differs in what the name of DIFFERENCES stands for."""
        assert name in DIFFERENCES, f"no difference '{name}'; add it to {__file__}"
        if self.is_lab:
            self.differences.append(name)
        return self.is_lab
