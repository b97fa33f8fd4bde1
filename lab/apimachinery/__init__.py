"""What every component of the lab goes by: the store, the kinds in it, and what their states mean.

Stands for etcd, k8s.io/api, k8s.io/apimachinery and client-go, and knows none of the components.
"""
