# Everything that is needed beyond Python and make is installed into .venv and .tox, at the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv

.PHONY: help demo lab test bench clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

demo: $(VENV)/ready ## every strategy measured side by side, no cluster needed: a table, and report.html
	@$(VENV)/bin/python -m lab run --dns-ttl 5 -- $(VENV)/bin/python -m compare --html report.html
	@echo "With plots: report.html"

lab: $(VENV)/ready ## a shell with a Kubernetes of processes around it: kubectl works, no Docker, no root
	@command -v kubectl >/dev/null || { echo "lab: kubectl is not on PATH; install it: https://kubernetes.io/docs/tasks/tools/"; exit 2; }
	@echo "A bash without your rc files, so that nothing in them names another cluster: kubectl in it talks to a lab of its own,"
	@echo "which exit ends. Try: kubectl apply -f clusterip/manifests"
	@$(VENV)/bin/python -m lab shell

test: $(VENV)/ready ## every test that needs no cluster (tox -e k8s is the rest)
	$(VENV)/bin/tox run

bench: $(VENV)/ready ## what things cost, in time and memory: figures, not tests
	$(VENV)/bin/python -m benchmarks.lab
	$(VENV)/bin/python -m benchmarks.client_envoy
	$(VENV)/bin/python -m benchmarks.grpclb

clean: ## remove what was installed and built
	rm -rf $(VENV) .tox build *.egg-info .*_cache

$(VENV)/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Python %d.%d is too old: make PYTHON=python3.11 or newer" % v[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt tox tox-uv --editable .[lab,compare,ingress]
	@touch $@
