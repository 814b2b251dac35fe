"""deploy/kubernetes: what is committed is what is generated, valid strictly, and what the programs need."""

import json
import os
import re
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import certifi
import pytest
import yaml
from deploy.kubernetes import generate, secrets
from deploy.kubernetes.check import documents, problems
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from typer.main import get_command

from booking_contracts.topics import TOPICS, topic_named
from booking_local.stack.programs import MODULES
from booking_ops.cli import app as operators
from booking_ops.deployment import SERVICES, Settings
from booking_ops.deployment import deployment as deployed
from booking_process.settings import Dsn, load_settings

ROOT = Path(__file__).resolve().parents[4]
HERE = ROOT / "deploy/kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
TEXTS = {name: (HERE / "rendered" / f"{name}.yaml").read_text("utf-8") for name in generate.OVERLAYS}
RENDERED = {name: documents(text) for name, text in TEXTS.items()}
PODS = [
    pytest.param(name, one, id=f"{name}-{one['metadata']['name']}")
    for name, found in RENDERED.items()
    for one in found
    if one["kind"] in {"Deployment", "Job"}
]
AUDIT = "ops-audit"
"""It watches over the services, and nobody waits for it: one copy, never scaled, no budget, nothing routed to it."""
LASTING = [
    pytest.param(name, one, id=f"{name}-{one['metadata']['name']}")
    for name, found in RENDERED.items()
    for one in found
    if one["kind"] == "Deployment" and one["metadata"]["name"] != AUDIT
]
PROGRAMS = [*secrets.SERVICES, "gateway"]
GIVEN = {name: "given" for names in secrets.OWN.values() for name in names if name not in secrets.RANDOM}


def of_kind(overlay, *kinds):
    return {one["metadata"]["name"]: one for one in RENDERED[overlay] if one["kind"] in kinds}


def template(one):
    return one["spec"]["template"]


def container(one):
    (found,) = template(one)["spec"]["containers"]
    return found


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("base/kafka/topics.yaml", generate.topics),
        ("base/kafka/users.yaml", generate.users),
        ("components/external-secrets/secrets.yaml", generate.external_secrets),
        ("components/monitoring/rules.yaml", generate.rules),
    ],
)
def test_what_follows_from_elsewhere__is_as_generated(file, made):
    """`python -m deploy.kubernetes.generate` writes it."""
    assert (HERE / file).read_text("utf-8") == made()


@pytest.mark.parametrize("name", generate.OVERLAYS)
def test_rendered__is_what_kustomize_makes(name):
    command = generate.kustomize()
    if command is None:
        pytest.skip("neither kustomize nor kubectl is found")
    assert generate.render(command, HERE / "overlays" / name) == TEXTS[name]


@pytest.mark.parametrize("name", generate.OVERLAYS)
def test_rendered__is_valid_strictly(name):
    assert problems(TEXTS[name]) == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.template.spec.terminationGracePeriod", 40),
        ("Deployment", "spec.template.spec.securityContext.runAsUser", "10001"),
        ("NetworkPolicy", "spec.podselector", {}),
        ("Kafka", "spec.kafka.listener", []),
        ("KafkaTopic", "spec.partition", 6),
        ("KafkaUser", "spec.authorization.acls.0.operations", ["Reed"]),
        ("Cluster", "spec.instance", 3),
        ("ObjectStore", "spec.configuration.bucket", "s3://there"),
        ("ScaledObject", "spec.triggers.0.metadata.threshold", 500),
        ("ExternalSecret", "spec.target.templates", {}),
        ("PodMonitor", "spec.podMetricsEndpoints.0.interval", "soon"),
        ("PrometheusRule", "spec.groups.0.rule", []),
        ("Pooler", "spec.pgbouncer.poolMode", "statement"),
    ],
)
def test_a_wrong_field__is_refused_and_named(kind, path, value):
    one = deepcopy(next(one for one in RENDERED["production"] if one["kind"] == kind))
    *way, last = path.split(".")
    place: Any = one
    for part in way:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    found = problems(yaml.safe_dump(one))
    assert found
    assert all(one["metadata"]["name"] in problem for problem in found)


def test_an_unknown_kind__is_refused():
    assert "has no" in problems("{apiVersion: booking.example/v1, kind: Clinic, metadata: {name: a}}")[0]


def test_topics__are_the_catalogue_s_all_of_them():
    assert of_kind("production", "KafkaTopic").keys() == {topic.name for topic in TOPICS}
    for one in of_kind("small", "KafkaTopic").values():
        assert one["spec"]["replicas"] == 1
        assert topic_named(one["metadata"]["name"]).config.items() <= one["spec"]["config"].items()


def config_of(overlay, program):
    """What the program's api has from ConfigMaps."""
    maps = of_kind(overlay, "ConfigMap")
    names = [source["configMapRef"]["name"] for source in container(deployment(overlay, program))["envFrom"]]
    return {key: value for name in names for key, value in maps[name].get("data", {}).items()}


def deployment(overlay, program, component="api"):
    return of_kind(overlay, "Deployment")[f"{program}-{component}"]


def files_of(one, given):
    """The files that a pod's volume `secrets` holds, of Secrets made here and by Kafka's operator."""
    made = {found["metadata"]["name"]: found["stringData"] for found in secrets.manifests(given)}
    made |= {name: {"password": "made"} for name in of_kind("production", "KafkaUser")}
    (volume,) = [found for found in template(one)["spec"]["volumes"] if found["name"] == "secrets"]
    sources = [source["secret"] for source in volume["projected"]["sources"]]
    return {
        item["path"]: made[source["name"]][item["key"]]
        for source in sources
        for item in source.get("items") or [{"key": key, "path": key} for key in made[source["name"]]]
    }


def mounts(one):
    return {mount["name"]: mount["mountPath"] for mount in container(one)["volumeMounts"]}


def settings_class(program):
    return import_module(f"{MODULES.get(program, 'booking_gateway')}.settings").Settings


@pytest.mark.parametrize("overlay", generate.OVERLAYS)
@pytest.mark.parametrize("component", ["api", "worker", "migrate"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_settings__are_whole_with_what_the_pod_has(overlay, program, component, tmp_path, monkeypatch):
    pods = of_kind(overlay, "Deployment", "Job")
    if f"{program}-{component}" not in pods:
        assert program == "gateway"
        return
    one = pods[f"{program}-{component}"]
    for variable in list(os.environ):
        monkeypatch.delenv(variable)
    for name, text in files_of(one, GIVEN).items():
        (tmp_path / name).write_text(text, "utf-8")
    environment = config_of(overlay, program)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert environment["KAFKA_CA_FILE"].startswith(mounts(one)["kafka"])
    monkeypatch.setenv("KAFKA_CA_FILE", certifi.where())  # the cluster's own is not here
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    if program == "gateway":
        assert import_module("booking_gateway.settings").load().session_secret.get_secret_value()
        return
    settings = load_settings(settings_class(program))
    assert (settings.database_owner_url is not None) == (component == "migrate")


@pytest.mark.parametrize("program", PROGRAMS)
def test_names__are_those_of_the_code_and_secrets_are_secret(program):
    fields = settings_class(program).model_fields
    config = config_of("production", program).keys() - {"SECRETS_DIR"}
    files = files_of(deployment("production", program), GIVEN)
    assert {name.lower() for name in config} <= fields.keys()
    assert files.keys() <= fields.keys()
    secret = {name for name, field in fields.items() if {SecretStr, Dsn} & _kinds(field.annotation)}
    assert not {name.lower() for name in config} & secret
    assert files.keys() - {"smtp_username"} <= secret


def _kinds(annotation):
    return {annotation, *(kind for inner in getattr(annotation, "__args__", ()) for kind in _kinds(inner))}


DEVELOPMENT = {"JWT_ALLOW_HTTP", "RATE_LIMIT_PER_MINUTE", "OIDC_INTERNAL_URL"}
DEVELOPMENT |= {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER"}
"""Compose alone: an identity provider over http, no limit for those who try, and a profile's collector to send to."""
CLUSTER = {
    *("SHUTDOWN_GRACE_SECONDS", "SHUTDOWN_DRAIN_SECONDS", "JWT_AUDIENCE", "PLATFORM_TIMEZONE"),
    *("SMTP_USERNAME", "SMTP_PASSWORD", "KAFKA_SECURITY_PROTOCOL", "KAFKA_USERNAME", "KAFKA_PASSWORD", "KAFKA_CA_FILE"),
    *("OIDC_CLIENT_SECRET", "METRICS_URLS"),
}
"""Kubernetes alone: a cluster's balancer is slower, mail has an account, and Kafka asks who it is."""


@pytest.mark.parametrize("program", PROGRAMS)
def test_names__are_those_of_compose(program, tmp_path):
    from booking_local.containers import write_secret_files
    from booking_local.layout import Layout
    from booking_local.stack.secrets import load_or_make

    layout = Layout(tmp_path / "installation")
    layout.make()
    write_secret_files(layout, load_or_make(layout))
    compose = COMPOSE[program]["environment"].keys() | {path.name.upper() for path in (tmp_path / program).iterdir()}
    ours = config_of("production", program).keys() | {
        name.upper() for name in files_of(deployment("production", program), GIVEN)
    }
    assert compose - ours <= DEVELOPMENT
    assert ours - compose <= CLUSTER


@pytest.mark.parametrize(("overlay", "one"), PODS)
def test_pod__is_hardened(overlay, one):
    pod, program = template(one)["spec"], container(one)
    user = int(re.findall(r"^USER (\d+)$", (ROOT / "deploy/docker/Dockerfile").read_text("utf-8"), re.MULTILINE)[0])
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == user
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert program["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert program["resources"]["limits"]["memory"]
    assert program["resources"]["requests"].keys() == {"cpu", "memory"}
    assert {mount["name"] for mount in program["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(("overlay", "one"), LASTING)
def test_stop__is_waited_for_and_probes_ask_for_progress(overlay, one):
    program = container(one)
    seconds = template(one)["spec"]["terminationGracePeriodSeconds"]
    name = one["metadata"]["labels"]["app.kubernetes.io/name"]
    if name == "gateway":
        drain = program["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert seconds > drain + import_module("booking_gateway.__main__")._GRACE
    else:
        config = config_of(overlay, name)
        drain = float(config["SHUTDOWN_DRAIN_SECONDS"])
        assert seconds > float(config["SHUTDOWN_GRACE_SECONDS"]) >= 2 * drain
    assert program["readinessProbe"]["periodSeconds"] < drain
    assert program["livenessProbe"]["httpGet"]["path"] == program["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert program["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert {one["topologyKey"] for one in template(one)["spec"]["topologySpreadConstraints"]} >= {
        "topology.kubernetes.io/zone"
    }


@pytest.mark.parametrize("overlay", generate.OVERLAYS)
def test_each_deployment__has_a_budget_and_in_production_what_scales_it(overlay):
    deployments = {name: one for name, one in of_kind(overlay, "Deployment").items() if name != AUDIT}

    def covered(selector):
        return {
            name for name, one in deployments.items() if selector.items() <= template(one)["metadata"]["labels"].items()
        }

    budgets = [
        covered(one["spec"]["selector"]["matchLabels"]) for one in of_kind(overlay, "PodDisruptionBudget").values()
    ]
    assert sorted(name for names in budgets for name in names) == sorted(deployments)
    scaled = of_kind(overlay, "HorizontalPodAutoscaler") | of_kind(overlay, "ScaledObject")
    targets = [one["spec"]["scaleTargetRef"]["name"] for one in scaled.values()]
    assert sorted(targets) == (sorted(deployments) if overlay == "production" else [])
    assert all("replicas" not in one["spec"] for one in deployments.values())


@pytest.mark.parametrize("service", secrets.SERVICES)
def test_connections__of_all_copies_are_fewer_than_the_database_takes(service):
    scaled = of_kind("production", "HorizontalPodAutoscaler") | of_kind("production", "ScaledObject")
    apis = scaled[f"{service}-api"]["spec"]["maxReplicas"]
    workers = scaled[f"{service}-worker"]["spec"]["maxReplicaCount"]
    pool = settings_class(service).model_fields["database_pool_size"].default
    most = int(of_kind("production", "Cluster")[f"{service}-db"]["spec"]["postgresql"]["parameters"]["max_connections"])
    beside = 3  # a relay's, and who notifies it
    assert (apis + 1 + workers + 1) * (pool + beside) < most - 20


def test_lag__is_asked_of_topics_that_the_service_reads_by_a_group_of_its_own():
    import checkout.contexts
    import consultation.dependencies
    import notifier.kafka

    groups = {
        "checkout-worker": checkout.contexts.CONSUMER,
        "consultation-worker": consultation.dependencies.CONSUMER,
        "notifier-worker": notifier.kafka.CONSUMER,
    }
    for name, one in of_kind("production", "ScaledObject").items():
        for trigger in one["spec"]["triggers"]:
            if trigger["type"] == "kafka":
                topic = topic_named(trigger["metadata"]["topic"])
                assert name.removesuffix("-worker") in topic.readers
                assert trigger["metadata"]["consumerGroup"] == groups[name]
                assert one["spec"]["maxReplicaCount"] <= topic.partitions


def matches(selector, labels):
    wanted = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(
        {"In": labels.get(one["key"]) in one.get("values", []), "Exists": one["key"] in labels}[one["operator"]]
        for one in selector.get("matchExpressions", [])
    )


def pods_of(overlay):
    """The labels of every pod that we know of, operators' too."""
    pods = {name: template(one)["metadata"]["labels"] for name, one in of_kind(overlay, "Deployment", "Job").items()}
    pods |= {name: {"cnpg.io/cluster": name} for name in of_kind(overlay, "Cluster")}
    return pods | {"kafka": {"strimzi.io/cluster": "booking", "strimzi.io/kind": "Kafka"}}


def allowed(overlay, direction, pod, port):
    """The pods of the namespace that the policies let a pod have traffic with on a port."""
    pods = pods_of(overlay)
    side = {"ingress": "from", "egress": "to"}[direction]
    peers = [
        peer["podSelector"]
        for policy in of_kind(overlay, "NetworkPolicy").values()
        if matches(policy["spec"]["podSelector"], pods[pod])
        for rule in policy["spec"].get(direction, [])
        if "ports" not in rule or port in [found["port"] for found in rule["ports"]]
        for peer in rule.get(side, [])
        if "podSelector" in peer and "namespaceSelector" not in peer
    ]
    return {name for name, labels in pods.items() if any(matches(peer, labels) for peer in peers)}


@pytest.mark.parametrize("overlay", generate.OVERLAYS)
@pytest.mark.parametrize("service", secrets.SERVICES)
def test_a_database__is_reached_by_its_own_service_and_the_audit_alone(overlay, service):
    own = {f"{service}-api", f"{service}-worker", f"{service}-migrate", AUDIT}
    database = f"{service}-db"
    others = pods_of(overlay).keys() - of_kind(overlay, "Cluster").keys()
    assert allowed(overlay, "ingress", database, 5432) & others == own
    assert {name for name in others if database in allowed(overlay, "egress", name, 5432)} == own


@pytest.mark.parametrize("overlay", generate.OVERLAYS)
def test_network__is_closed_but_for_what_is_named(overlay):
    policies = of_kind(overlay, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    services = {f"{name}-{kind}" for name in secrets.SERVICES for kind in ("api", "worker")}
    assert allowed(overlay, "egress", "gateway-api", 8000) == services
    for name in services:
        assert allowed(overlay, "ingress", name, 8000) == {"gateway-api"}
    (port,) = {found["port"] for found in of_kind(overlay, "Kafka")["booking"]["spec"]["kafka"]["listeners"]}
    talking = {name for name in pods_of(overlay) if "kafka" in allowed(overlay, "egress", name, port)}
    assert talking - {"kafka"} == services | {"gateway-api", AUDIT}
    assert allowed(overlay, "egress", AUDIT, 8000) == allowed(overlay, "ingress", AUDIT, 8000) == set()


@pytest.mark.parametrize("overlay", generate.OVERLAYS)
def test_audit__has_whole_settings_names_those_of_the_code_and_of_compose(overlay, tmp_path, monkeypatch):
    one = of_kind(overlay, "Deployment")[AUDIT]
    maps = of_kind(overlay, "ConfigMap")
    config = {
        key: value
        for source in container(one)["envFrom"]
        for key, value in maps[source["configMapRef"]["name"]]["data"].items()
    }
    files = files_of(one, GIVEN)
    names = {name.lower() for name in config} | files.keys()
    assert names - {"secrets_dir"} <= Settings.model_fields.keys()
    assert {name.lower() for name in COMPOSE["ops"]["environment"]} <= names
    assert {f"{service}_database_url" for service in SERVICES} == files.keys() - {"kafka_password"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    for name, value in config.items():
        monkeypatch.setenv(name, value)
    assert config["KAFKA_CA_FILE"].startswith(mounts(one)["kafka"])
    monkeypatch.setenv("KAFKA_CA_FILE", certifi.where())  # the cluster's own is not here
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    where = deployed()
    assert where.kafka.security
    for name in ("PLATFORM_TIMEZONE", "RELAY_COMPRESSION", "ERASURE_RESEND_SECONDS"):  # as the services have it
        assert config.get(name) == config_of(overlay, "checkout").get(name)
    assert config["KAFKA_USERNAME"] in of_kind(overlay, "KafkaUser")
    (volume,) = [found for found in template(one)["spec"]["volumes"] if found["name"] == "postgres"]
    authorities = {
        f"{mounts(one)['postgres']}/{item['path']}": source["secret"]["name"]
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    for service, address in where.databases().items():
        told = conninfo_to_dict(address)
        assert authorities[str(told["sslrootcert"])] == f"{service}-db-ca"
        assert (told["host"], told["user"], told["sslmode"]) == (f"{service}-db-rw", f"{service}_app", "verify-full")


def operators_command(name):
    group: Any = get_command(operators)
    return group.get_command(None, name)


@pytest.mark.parametrize("overlay", generate.OVERLAYS)
def test_audit__serves_figures_of_a_baseline_that_is_there_in_one_copy(overlay):
    one = of_kind(overlay, "Deployment")[AUDIT]
    program = container(one)
    name, *words = program["args"]
    given = operators_command(name).make_context(name, words).params
    folder, _, file = str(given["baseline"]).rpartition("/")
    assert folder == mounts(one)["baseline"]
    (volume,) = [found for found in template(one)["spec"]["volumes"] if found["name"] == "baseline"]
    kept = of_kind(overlay, "ConfigMap")[volume["configMap"]["name"]]["data"][file]
    assert json.loads(kept) == {"accepted": []}
    assert one["spec"]["strategy"] == {"type": "Recreate"}
    assert "replicas" not in one["spec"]
    assert program["livenessProbe"]["httpGet"]["path"] == program["startupProbe"]["httpGet"]["path"] == "/metrics"


def test_every_lasting_pod__is_scraped_under_the_job_that_the_rules_ask_for():
    monitor = of_kind("production", "PodMonitor")["booking"]["spec"]
    for name, one in of_kind("production", "Deployment").items():
        labels = template(one)["metadata"]["labels"]
        assert matches(monitor["selector"], labels) == (name != "gateway-api")
        assert labels[monitor["jobLabel"]] == name.split("-")[0]
    (endpoint,) = monitor["podMetricsEndpoints"]
    ports = [container(one)["ports"][0]["name"] for one in of_kind("production", "Deployment").values()]
    assert set(ports) == {endpoint["port"]}
