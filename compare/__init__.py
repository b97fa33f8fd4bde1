"""Measures strategies side by side on whatever cluster KUBECONFIG names, a lab or a real one.

It knows the Kubernetes API, the manifests, and the data beside them (expectations.toml); nothing of the lab, and no
strategy's code.
"""
