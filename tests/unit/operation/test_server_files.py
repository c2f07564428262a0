"""Files of the servers, judged by their own validators, and held against the program's metrics."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from barnhand_desktop.cli import COMMANDS
from engine.domain.recording import JobState
from tests.helpers.metrics_table import metric_of, metrics_table

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "installers" / "compose"
KUBERNETES = ROOT / "installers" / "kubernetes"
OVERLAYS = ("base", "autoscaling", "gpu")
FOREIGN = {"ScaledObject", "TriggerAuthentication", "Kustomization"}
TABLE = metrics_table()


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return found


def said(*command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """What a validator prints when it is content; its complaint fails the test."""
    done = subprocess.run(
        command, cwd=cwd, env=env, text=True, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- compose -------------------------------------------------------------------------------------


@pytest.fixture
def compose_folder(tmp_path: Path) -> Path:
    """The folder as a person has it after the first step of the README. The validator of 2021 does
    not know the key that names the project; all else is as it is."""
    folder = tmp_path / "compose"
    shutil.copytree(COMPOSE, folder)
    text = (folder / "compose.yaml").read_text("utf-8")
    assert text.count("\nname: barnhand\n") == 1
    (folder / "compose.yaml").write_text(text.replace("\nname: barnhand\n", "\n"), "utf-8")
    example = (folder / "env.example").read_text("utf-8")
    (folder / ".env").write_text(
        re.sub(r"PASSWORD=$", "PASSWORD=abc", example, flags=re.M), "utf-8"
    )
    (folder / "metrics-key").write_text("key\n", "utf-8")
    return folder


def compose_config(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("docker-compose", "docker-compose"), "config"],
        cwd=folder, text=True, capture_output=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )  # fmt: skip


def test_docker_compose_takes_the_file(compose_folder: Path) -> None:
    done = compose_config(compose_folder)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    given = services["engine"]["environment"]
    assert given["BARNHAND_DATABASE__DSN"].endswith(":abc@db:5432/barnhand")
    assert services["engine-2"]["profiles"] == ["second"]
    for name in ("api", "engine", "engine-2", "db", "redis"):
        assert services[name]["healthcheck"]["test"], name


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("profiles: [monitoring]", "profile: [monitoring]"),
        ("interval: 5s", "interval: soon"),
        ("  prometheus-data:\n", ""),
    ],
)
def test_docker_compose_would_refuse_a_mistake(
    compose_folder: Path, right: str, wrong: str
) -> None:
    file = compose_folder / "compose.yaml"
    text = file.read_text("utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong), "utf-8")
    assert compose_config(compose_folder).returncode != 0


def test_passwords_must_be_set(compose_folder: Path) -> None:
    (compose_folder / ".env").write_text("", "utf-8")
    assert "set it in .env" in compose_config(compose_folder).stderr


# --- Prometheus and Grafana ----------------------------------------------------------------------


def test_promtool_takes_configuration_and_rules(compose_folder: Path) -> None:
    promtool = program("promtool", "prometheus")
    config = compose_folder / "prometheus.yml"
    text = config.read_text("utf-8").replace("/etc/prometheus/metrics-key", "metrics-key")
    config.write_text(text, "utf-8")
    assert "rules found" in said(promtool, "check", "config", "prometheus.yml", cwd=compose_folder)
    said(promtool, "check", "rules", "rules.yml", cwd=compose_folder)


def test_alerting_rules_fire_when_they_should(tmp_path: Path) -> None:
    promtool = program("promtool", "prometheus")
    camera = 'barnhand_camera_active{stream_id="s", camera="Yard"}'
    spool = 'barnhand_spool_bytes{node="n"}'
    expectations = [
        fires("6m", "BarnhandCameraOffline"),
        fires("9m", "BarnhandCameraOffline", stream_id="s", camera="Yard"),
        fires("9m", "BarnhandApiAway"),
        fires("12m", "BarnhandApiAway", job="barnhand", instance="api:8620"),
        fires("20m", "BarnhandSpoolGrows", node="n"),
        fires("30m", "BarnhandBackupOld"),
        fires("70m", "BarnhandBackupOld", bare=True),
        fires("10m", "BarnhandQueueDeep"),
        fires("20m", "BarnhandQueueDeep", bare=True),
    ]
    tests = {
        "rule_files": [str(COMPOSE / "rules.yml")],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": 'up{job="barnhand", instance="api:8620"}', "values": "1x40 0x40"},
                    {"series": camera, "values": "1x20 0x80"},
                    {"series": spool, "values": "0+100000x100"},
                    {"series": 'barnhand_backup_age_seconds{node="n"}', "values": "130000x400"},
                    {"series": "barnhand_jobs_queued", "values": "25x100"},
                ],
                "alert_rule_test": expectations,
            }
        ],
    }
    rules = yaml.safe_load((COMPOSE / "rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    known = {rule["alert"]: rule for rule in rules}
    for case in expectations:
        for alert in case["exp_alerts"]:
            rule = known[case["alertname"]]
            labels = alert["exp_labels"] | rule["labels"]
            alert["exp_labels"] = labels
            alert["exp_annotations"] = {
                name: filled_in(text, labels) for name, text in rule["annotations"].items()
            }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump(tests), "utf-8")
    said(promtool, "test", "rules", str(file))


def filled_in(text: str, labels: dict[str, str]) -> str:
    """An annotation with its labels in place, as Prometheus writes it."""
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)


def fires(at: str, name: str, bare: bool = False, **labels: str) -> dict[str, Any]:
    """One expectation; without labels (and not ``bare``) the alert must be silent then."""
    alerts = [{"exp_labels": dict(labels)}] if labels or bare else []
    return {"eval_time": at, "alertname": name, "exp_alerts": alerts}


def queries() -> Iterator[tuple[str, str]]:
    dashboard = json.loads((COMPOSE / "grafana/dashboards/barnhand.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield f"dashboard: {panel['title']}", target["expr"]
    for rule in yaml.safe_load((COMPOSE / "rules.yml").read_text("utf-8"))["groups"][0]["rules"]:
        yield f"rule: {rule['alert']}", rule["expr"]


def test_every_query_names_metrics_and_labels_of_the_table() -> None:
    known_labels = {"le", "job"}.union(*(row.labels for row in TABLE.values()))
    for where, query in queries():
        named = {metric_of(series, TABLE) for series in re.findall(r"barnhand_\w+", query)}
        assert named <= TABLE.keys(), f"{where}: {named - TABLE.keys()}"
        for grouping in re.findall(r"\bby \(([^)]*)\)", query):
            assert set(re.split(r", *", grouping)) <= known_labels, where


def test_every_panel_reads_the_provisioned_source_and_none_lie_on_each_other() -> None:
    dashboard = json.loads((COMPOSE / "grafana/dashboards/barnhand.json").read_text("utf-8"))
    (source,) = yaml.safe_load(
        (COMPOSE / "grafana/provisioning/datasources/prometheus.yaml").read_text("utf-8")
    )["datasources"]
    panels = dashboard["panels"]
    assert {p["datasource"]["uid"] for p in panels} == {source["uid"]}
    assert len({p["id"] for p in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


# --- Kubernetes ----------------------------------------------------------------------------------


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            yield f"{path.relative_to(KUBERNETES)}:{document['kind']}", document


@pytest.mark.parametrize(
    ("where", "document"), [pair for pair in documents() if pair[1]["kind"] not in FOREIGN]
)
def test_kubernetes_takes_every_kind_of_its_own(where: str, document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_validator_would_refuse_a_mistake() -> None:
    document = dict(next(d for where, d in documents() if where.endswith(":StatefulSet")))
    document["spec"] = {**document["spec"], "replica": 2}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_builds_every_overlay(overlay: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    built = list(yaml.safe_load_all(said(kubectl, "kustomize", str(KUBERNETES / overlay))))
    for document in built:
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(
                document, kubernetes_validate.latest_version(), strict=True
            )
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "barnhand"
    (engine,) = (d for d in built if d["kind"] == "StatefulSet")
    limits = engine["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert ("nvidia.com/gpu" in limits) == (overlay == "gpu")
    assert any(d["kind"] == "ScaledObject" for d in built) == (overlay == "autoscaling")


def test_nodes_are_scaled_by_the_depth_of_the_queue() -> None:
    known = {d["kind"]: d for where, d in documents() if where.startswith("autoscaling")}
    scaled, login = known["ScaledObject"], known["TriggerAuthentication"]
    base = {
        (d["kind"], d["metadata"]["name"]): d
        for where, d in documents()
        if "base/" in where and d["kind"] not in FOREIGN
    }
    target = scaled["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in base
    assert scaled["spec"]["minReplicaCount"] == 1 < scaled["spec"]["maxReplicaCount"]
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    (reference,) = login["spec"]["secretTargetRef"]
    assert reference["parameter"] == "connection"
    secret = base["Secret", reference["name"]]
    assert reference["key"] in secret["stringData"]
    states = set(re.findall(r"'(\w+)'", trigger["metadata"]["query"]))
    assert states <= {state.value for state in JobState} and "queued" in states
    assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_every_container_runs_a_command_of_the_program() -> None:
    for where, document in documents():
        spec = document.get("spec", {})
        pod = spec.get("jobTemplate", document)["spec"].get("template") if spec else None
        for container in pod["spec"]["containers"] if pod else ():
            assert container["args"][0] in COMMANDS, where
            if document["kind"] in ("Deployment", "StatefulSet"):
                assert {"startupProbe", "livenessProbe"} <= container.keys(), where


def test_disruption_budgets_and_policies_select_pods_that_exist() -> None:
    pods = {
        d["spec"]["template"]["metadata"]["labels"]["app"]
        for _, d in documents()
        if d["kind"] in ("Deployment", "StatefulSet")
    }
    for where, document in documents():
        if document["kind"] == "PodDisruptionBudget":
            assert document["spec"]["selector"]["matchLabels"]["app"] in pods, where
        if document["kind"] == "NetworkPolicy" and document["spec"]["podSelector"]:
            assert document["spec"]["podSelector"]["matchLabels"]["app"] in pods, where


# --- the image -----------------------------------------------------------------------------------


def test_the_image_has_a_user_a_probe_and_every_folder_it_names() -> None:
    text = (COMPOSE / "Dockerfile").read_text("utf-8")
    for folder in re.findall(r"^COPY (\S+) \S+$", text, re.M):
        assert (ROOT / folder).is_dir(), folder
    assert text.index("RUN PIP_EXTRA_INDEX_URL") < text.index("USER barnhand")
    assert "HEALTHCHECK" in text and "/data/alive" in text
    (uid,) = re.findall(r"--uid (\d+)", text)
    users = {
        d["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
        for _, d in documents()
        if d["kind"] in ("Deployment", "StatefulSet")
    }
    assert users == {int(uid)}
