# One image, greeter:dev, for every demo: the manifests say which module runs. Build it with k8s/load.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /build
RUN python3 -m venv --without-pip /venv
# The dependencies by themselves, so that a change of ours does not install them again.
COPY pyproject.toml constraints.txt ./
RUN PIP_CONSTRAINT=constraints.txt pip --python /venv/bin/python install --no-cache-dir --no-compile . \
    && pip --python /venv/bin/python uninstall --yes grpc-kubernetes-load-balancing

FROM ${PYTHON}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
USER 65532:65532
