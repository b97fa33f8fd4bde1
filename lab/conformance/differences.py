"""Where the lab differs from a cluster on purpose. A test that has to know says so by one of these names."""

DIFFERENCES = {
    "compaction": "there is no etcd: POST /lab/compact forgets how the objects came to be as they are",
    "dns-address": "DNS listens on an address for each namespace, on port 10053: its annotation lab/dns",
    "low-ports": "ports under 1024 move up by 10000: no user may listen on them",
    "source-address": "every packet comes from 127.0.0.1: pods share the machine's loopback",
    "classes": "there are no PriorityClasses and RuntimeClasses: a pod that names one is taken, with a Warning",
    "job-labels": "what a Job's template says of the labels that the Job itself gives is overwritten, not refused",
    "job-template": "a Job's template never changes, which Kubernetes lets that of a suspended Job do in part",
    "misspelt": "Kubernetes misspells loadBalancerSourceRanges in its answer",
    "nfs": "of volumes that the lab doesn't have, it knows which fields must be there, and not what they must be",
    "one-cause": "a cause that follows from another is left out, or said too",
    "version-form": "a resourceVersion that is no number is another version (409), where Kubernetes has a bug (500)",
}

# The mistakes that the lab answers otherwise, by the names of those differences.
MISTAKES = {
    "classes": ['pods spec.priorityClassName="nobodys"', "pods spec.priority=5", 'pods spec.runtimeClassName="A"'],
    "job-labels": ['jobs spec.template.metadata.labels={"job-name": "other"}'],
    "job-template": [
        "change jobs spec.template.metadata=null",
        'change jobs spec.template.metadata.annotations={"app": "web"}',
        'change jobs spec.template.metadata.labels={"app": "web"}',
        'change jobs spec.template.spec.nodeSelector={"app": "web"}',
    ],
    "misspelt": ['services spec.loadBalancerSourceRanges=["10.0.0.0/8"]'],
    "nfs": ['pods spec.volumes.1={"name": "w", "nfs": {"server": "s"}}'],
    "one-cause": [f'jobs metadata.name="{"a" * 64}"', 'pods spec.volumes.0={"name": "v", "configMap": {}}'],
    "version-form": [f'change {plural} metadata.resourceVersion="x"' for plural in ("deployments", "pods")],
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
