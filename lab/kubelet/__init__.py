"""The kubelet: pods on the lab's one node, their containers, volumes, probes and logs."""
