# One image, greeter:dev, for every demo: the manifests say which module runs. Build it with k8s/load.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /build
RUN python3 -m venv --without-pip /venv
# The dependencies by themselves, so that a change of ours does not install them again.
COPY pyproject.toml constraints.txt ./
RUN PIP_CONSTRAINT=constraints.txt pip --python /venv/bin/python install --no-cache-dir --no-compile . \
    && pip --python /venv/bin/python uninstall --yes grpc-kubernetes-load-balancing
WORKDIR /app
COPY . .
# No pod may write here: what isn't compiled now is compiled anew by each process, 0.3 s of a core every time.
# By hash, for a copied file's time may change.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv/lib .

FROM ${PYTHON}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# What of the standard library an image leaves uncompiled, a first start compiles.
RUN python3 -m greeter_server --help >/dev/null
USER 65532:65532
