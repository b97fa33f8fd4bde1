"""The ingress controller: a real nginx, configured from the Ingresses of a cluster as ingress-nginx would configure it.

Stands for ingress-nginx (retired in March 2026, its last release is 1.15.1), whose annotations are in manifests
everywhere. It is no component of the lab but an ordinary program that knows the Kubernetes API alone: the lab runs it
as a pod (deploy.yaml), and `python -m lab.ingress_nginx` finds any cluster by KUBECONFIG. Of the annotations it has
those that gRPC needs (annotations.py); any other is named in an Event.
"""
