"""The objects of kube-apiserver: how they are read, completed, admitted, validated, patched and written."""
