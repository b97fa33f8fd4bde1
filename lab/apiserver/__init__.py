"""kube-apiserver: HTTP, REST, watches, discovery, and the columns of `kubectl get`."""
