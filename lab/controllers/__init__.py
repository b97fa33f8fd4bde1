"""kube-controller-manager and kube-scheduler: a loop each that makes what there is what was asked for."""
