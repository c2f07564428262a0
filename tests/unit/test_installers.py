"""Packaging and server files: they parse, agree with each other, and with the program."""

from __future__ import annotations

import configparser
import importlib.util
import plistlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from barnhand_desktop.settings.fields import setting_fields
from barnhand_desktop.settings.loader import NOT_SETTINGS, load_settings

ROOT = Path(__file__).resolve().parents[2]
INSTALLERS = ROOT / "installers"
COMPOSE = INSTALLERS / "compose"
KUBERNETES = INSTALLERS / "kubernetes" / "base"
SETTING_NAMES = {field.environment_name for field in setting_fields().values()} | NOT_SETTINGS


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """installers/build.py as a module."""
    spec = importlib.util.spec_from_file_location("build_under_test", INSTALLERS / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts() -> tuple[str, str]:
    return tuple(
        (ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "briefcase.toml")
    )


# --- staging -------------------------------------------------------------------------------------


def test_the_stage_holds_everything_briefcase_reads(build: ModuleType, tmp_path: Path) -> None:
    stage = build.stage(tmp_path / "stage")
    merged = tomllib.loads((stage / "pyproject.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packaging = merged["tool"]["briefcase"]
    assert merged["project"]["dependencies"] == project["dependencies"]
    assert packaging["version"] == project["version"]
    assert re.fullmatch(r"[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*", packaging["bundle"])
    (app,) = packaging["app"].values()
    for package in app["sources"]:
        assert (stage / package / "__init__.py").is_file()
    assert (stage / "resources" / "models" / "manifest.toml").is_file()
    assert (stage / "LICENSE").is_file()
    assert not list(stage.rglob("*.pyc"))
    assert build.stage(stage) == stage, "a second run replaces the first"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"engine", "resources"', '"engine"', "sources"),
        ('version_triple = "', 'version_triple = "9', "version_triple"),
    ],
)
def test_a_stage_that_would_be_wrong_is_refused(
    build: ModuleType, old: str, new: str, complaint: str
) -> None:
    pyproject, briefcase = texts()
    assert old in briefcase
    with pytest.raises(build.BuildFailed, match=complaint):
        build.merged_pyproject(pyproject, briefcase.replace(old, new))


def test_the_version_is_everywhere_the_same(build: ModuleType) -> None:
    version = build.version()
    for path in (*COMPOSE.glob("*.yaml"), *KUBERNETES.glob("*.yaml")):
        for tag in re.findall(r"image: barnhand:(\S+)", path.read_text(encoding="utf-8")):
            assert tag == version, path


# --- platforms -----------------------------------------------------------------------------------


def test_a_debian_package_tree(build: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "frozen"
    program.mkdir()
    (program / "barnhand").write_text("#!/bin/sh\n", encoding="utf-8")
    tree = build.deb_tree(tmp_path / "tree", program, "amd64", build.runtime_packages())
    control = (tree / "DEBIAN" / "control").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^([A-Z][A-Za-z-]+): (.+)$", control, re.MULTILINE))
    assert fields["Package"] == "barnhand" and fields["Architecture"] == "amd64"
    assert "libegl1" in fields["Depends"] and fields["Installed-Size"].isdigit()
    assert (tree / "usr/bin/barnhand").readlink() == Path("/opt/barnhand/barnhand")
    assert (tree / "opt/barnhand/barnhand").is_file()
    assert (tree / "usr/share/icons/hicolor/scalable/apps/org.barnhand.svg").is_file()


def test_packages_of_the_launcher_and_the_installer_agree(build: ModuleType) -> None:
    launcher = (ROOT / "dev.py").read_text(encoding="utf-8")
    for package in build.runtime_packages():
        assert f'"{package}"' in launcher, f"dev.py does not know {package}"


def test_desktop_entry_and_metadata() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(INSTALLERS / "linux" / "org.barnhand.desktop", encoding="utf-8")
    section = entry["Desktop Entry"]
    assert section["Type"] == "Application" and section["Exec"].startswith("barnhand")
    tree = ElementTree.parse(INSTALLERS / "linux" / "org.barnhand.metainfo.xml")
    assert tree.findtext("project_license") == "AGPL-3.0-or-later"
    assert tree.findtext("launchable") == "org.barnhand.desktop"


def test_windows_and_macos_sources_are_well_formed() -> None:
    package = ElementTree.parse(INSTALLERS / "windows" / "barnhand.wxs").getroot()[0]
    assert package.get("Version") == "$(Version)" and package.get("UpgradeCode")
    text = (INSTALLERS / "macos" / "Info.plist.in").read_text(encoding="utf-8")
    info = plistlib.loads(text.replace("@VERSION@", "1.2.3").encode())
    assert info["CFBundleShortVersionString"] == "1.2.3"
    assert info["NSCameraUsageDescription"]


@pytest.mark.parametrize("script", ["macos/make_dmg.sh", "linux/AppRun"])
def test_shell_scripts_parse(script: str) -> None:
    ended = subprocess.run(["sh", "-n", INSTALLERS / script], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (INSTALLERS / script).stat().st_mode & 0o100


# --- compose -------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    document = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def test_compose_services_hang_together() -> None:
    services = compose()["services"]
    volumes = set(compose()["volumes"])
    for name, service in services.items():
        assert service["image"].partition(":")[2] not in ("", "latest"), name
        wanted = service.get("depends_on", {})
        assert set(wanted) <= set(services), name
        for other, condition in wanted.items() if isinstance(wanted, dict) else ():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for {other}'s health"
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            known = source in volumes or source == "./metrics-key"
            assert known or (COMPOSE / source).exists(), f"{name}: {source}"


def test_compose_holds_no_password_and_listens_on_loopback() -> None:
    for name, service in compose()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|DSN|__URL", variable):
                assert "${" in str(value), f"{name}: {variable} holds a value"
        for port in service.get("ports", ()):
            assert port.startswith(("127.0.0.1:", "${BARNHAND_LISTEN:-127.0.0.1}:")), name
    for line in (COMPOSE / "env.example").read_text(encoding="utf-8").splitlines():
        if "PASSWORD" in line and not line.startswith("#"):
            assert line.endswith("="), line


def test_variables_of_compose_are_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (COMPOSE / "compose.yaml").read_text(encoding="utf-8")))
    offered = set(
        re.findall(r"^([A-Z_]+)=", (COMPOSE / "env.example").read_text("utf-8"), re.MULTILINE)
    )
    assert used == offered


def test_the_dockerfile_copies_every_package() -> None:
    text = (COMPOSE / "Dockerfile").read_text(encoding="utf-8")
    for package in tomllib.loads(texts()[1])["tool"]["briefcase"]["app"]["barnhand_desktop"][
        "sources"
    ]:
        assert f"COPY {package} {package}" in text
    assert "USER barnhand" in text


def test_prometheus_scrapes_the_api() -> None:
    job = yaml.safe_load((COMPOSE / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]
    (target,) = job["static_configs"][0]["targets"]
    service, _, port = target.partition(":")
    published = compose()["services"][service]["ports"]
    assert any(entry.endswith(f":{port}") for entry in published)


# --- Kubernetes ----------------------------------------------------------------------------------


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


def workloads() -> Iterator[tuple[str, dict[str, Any]]]:
    for _, document in manifests():
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["metadata"]["name"], document["spec"]
        if document["kind"] == "CronJob":
            yield document["metadata"]["name"], document["spec"]["jobTemplate"]["spec"]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for _, d in manifests() if d["kind"] == kind}


def test_the_kustomization_names_every_manifest_but_the_example() -> None:
    listed = set(
        yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))["resources"]
    )
    there = {p.name for p in KUBERNETES.glob("*.yaml")}
    assert listed == there - {"kustomization.yaml", "secrets.example.yaml"}
    for name, document in manifests():
        assert document["apiVersion"] and document["kind"], name


@pytest.mark.parametrize(("name", "spec"), list(workloads()))
def test_a_workload_is_complete_and_restricted(name: str, spec: dict[str, Any]) -> None:
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec.get("selector", {}).get("matchLabels", labels).items() <= labels.items()
    assert pod["securityContext"]["runAsNonRoot"] is True
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claimed = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())}
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert {"requests", "limits"} <= container["resources"].keys()
        assert {m["name"] for m in container["volumeMounts"]} <= volumes.keys() | claimed
        for source in container["envFrom"]:
            ((kind, reference),) = source.items()
            assert reference["name"] in of_kind(kind.removesuffix("Ref")[0].upper() + kind[1:-3])
    for volume in volumes.values():
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in of_kind("PersistentVolumeClaim")
        if "secret" in volume:
            assert volume["secret"]["secretName"] in of_kind("Secret")


def test_services_reach_a_port_of_their_pods() -> None:
    pods = {
        tuple(sorted(spec["template"]["metadata"]["labels"].items())): spec["template"]["spec"]
        for _, spec in workloads()
    }
    services = of_kind("Service")
    assert services
    for name, service in services.items():
        if service["spec"].get("clusterIP") == "None":
            continue
        pod = pods[tuple(sorted(service["spec"]["selector"].items()))]
        names = {p["name"] for c in pod["containers"] for p in c.get("ports", ())}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= names, name


def test_the_example_secrets_are_empty() -> None:
    for name, secret in of_kind("Secret").items():
        assert set(secret["stringData"].values()) == {""}, name


# --- settings named in these files ---------------------------------------------------------------


def test_every_variable_in_these_files_is_a_setting() -> None:
    for path in (*COMPOSE.rglob("*"), *KUBERNETES.parent.rglob("*")):
        if not path.is_file():
            continue
        for variable in re.findall(r"\bBARNHAND_[A-Z_]*__[A-Z_]+", path.read_text("utf-8")):
            assert variable in SETTING_NAMES, f"{path.name}: {variable}"


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    for name, service in compose()["services"].items():
        if service["image"].startswith("barnhand:"):
            yield f"compose {name}", {k: str(v) for k, v in service["environment"].items()}
    shared = {**of_kind("ConfigMap")["barnhand-config"]["data"]}
    servers = {
        "BARNHAND_DATABASE__DSN": "postgresql://u:p@h/d",
        "BARNHAND_LIVE__URL": "redis://:p@h:6379/0",
    }
    for name, spec in workloads():
        own = {
            v["name"]: v.get("value", "barnhand-engine-0")
            for v in spec["template"]["spec"]["containers"][0].get("env", ())
        }
        yield f"kubernetes {name}", {**shared, **servers, **own}


@pytest.mark.parametrize(("name", "environment"), list(environments()))
def test_the_program_accepts_the_environment_it_is_given(
    name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    empty = tmp_path / "settings.toml"
    empty.write_text("", encoding="utf-8")
    settings = load_settings(empty, environment)
    assert settings.database.mode == "shared", name
    assert settings.api.enabled == name.endswith("api"), name
