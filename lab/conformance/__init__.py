"""What the lab and a real cluster must both do: behaviour tests that speak to the Kubernetes API alone.

    KUBECONFIG=… pytest -n 4 lab/conformance           # any cluster that has the image greeter:dev
    python -m lab run -- pytest -n 4 lab/conformance

Their expectations are the same on both; where the lab differs on purpose, a test says so by a name in differences.py.
DNS_ADDRESS (IP:PORT of the cluster's DNS server) and COMPACT_COMMAND (compacts its etcd) let the tests that need them
run on a cluster; without them they skip. The lab says where its DNS is, and compacts when asked: one of the test's own,
for a compaction disturbs all others. On a cluster, `tox run -e k8s-alone` runs test_compaction.py by itself.
"""
