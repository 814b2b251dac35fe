"""docker-compose.yml: each container has its own secrets and no others, comes up again, and ends in time."""

import os
import re
import stat
from importlib import import_module
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from booking_local.containers import POSTGRES_HOST, write_secret_files
from booking_local.layout import Layout
from booking_local.stack.programs import MODULES
from booking_local.stack.secrets import DATABASES, load, load_or_make
from booking_ops.deployment import deployment
from booking_process.settings import ServiceSettings, load_settings

ROOT = Path(__file__).resolve().parents[4]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
CONTAINERS = COMPOSE["services"]
JOBS = {"secrets", "provision", *(f"{name}-migrate" for name in DATABASES)}
SERVICES = set(DATABASES)


@pytest.fixture
def installation(tmp_path):
    layout = Layout(tmp_path / "installation")
    layout.make()
    made = load_or_make(layout)
    write_secret_files(layout, made)
    return tmp_path, made


def environment(name):
    """A container's variables as they are where nobody set those that compose looks for."""
    told = CONTAINERS[name]["environment"]
    return {variable: re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value) for variable, value in told.items()}


def mounted(name):
    """The secret volumes of a container and where they are."""
    pairs = [volume.split(":") for volume in CONTAINERS[name].get("volumes", [])]
    return {pair[0]: pair[1:] for pair in pairs if pair[0] == "installation" or pair[0].startswith("secrets-")}


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - {"secrets", "provision"}))
def test_container__mounts_its_own_secrets_alone_and_cannot_write_them(name):
    """One folder for all showed every container every secret."""
    ours = mounted(name)
    assert set(ours) <= {f"secrets-{name}"}
    assert all(place == ["/run/booking", "ro"] for place in ours.values())


def test_every_secret__can_be_read_by_those_who_make_things_alone():
    assert {name for name in CONTAINERS if "installation" in mounted(name)} == {"secrets", "provision"}
    made = set(mounted("secrets"))
    assert made == {volume for name in CONTAINERS for volume in mounted(name)}
    assert made <= set(COMPOSE["volumes"])


def test_folders__hold_what_their_container_needs(installation):
    folder, made = installation
    texts = {
        path.relative_to(folder): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "installation"
    }

    def who_knows(secret):
        return {path.parts[0] for path, text in texts.items() if secret in text}

    assert who_knows(made.postgres_superuser) == {"postgres"}
    assert {path for path, text in texts.items() if "PRIVATE KEY" in text} == {Path("identity/secrets.json")}
    for name in DATABASES:
        assert who_knows(made.postgres_roles[f"{name}_owner"]) == {f"{name}-migrate"}
        assert who_knows(made.postgres_roles[f"{name}_app"]) == {name, f"{name}-migrate", "ops"}
    assert who_knows(made.feed_secret) == {"calendar", "calendar-migrate"}
    others_may = {path.parts[0] for path in texts if stat.S_IMODE((folder / path).stat().st_mode) != 0o600}
    assert others_may == {"postgres"}


def test_password_of_the_database__can_be_read_by_the_user_that_its_image_becomes(installation):
    """It is neither root, who has no rights in an image without capabilities, nor the user of our images."""
    folder, _ = installation
    for path in (folder / "postgres", folder / "postgres" / "postgres_password"):
        assert path.stat().st_mode & stat.S_IROTH, path


def test_identity__signs_with_its_own_folder(installation):
    folder, made = installation
    assert load(Layout(folder / "identity")).signing_key == made.signing_key


@pytest.mark.parametrize("name", sorted({*DATABASES, *(f"{name}-migrate" for name in DATABASES)}))
def test_settings__are_whole_with_what_the_container_has(installation, monkeypatch, name):
    folder, _ = installation
    for variable in list(os.environ):
        monkeypatch.delenv(variable)
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("SECRETS_DIR", str(folder / name))
    settings = load_settings(import_module(f"{MODULES[name.removesuffix('-migrate')]}.settings").Settings)
    assert (settings.database_owner_url is not None) == name.endswith("-migrate")


def test_gateway__has_whole_settings_and_its_own_secret_alone(installation, monkeypatch):
    folder, made = installation
    for variable in list(os.environ):
        monkeypatch.delenv(variable)
    for variable, value in environment("gateway").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("SECRETS_DIR", str(folder / "gateway"))
    settings = import_module("booking_gateway.settings").load()
    assert settings.session_secret.get_secret_value() == made.session_secret
    assert [one.name for one in (folder / "gateway").iterdir()] == ["session_secret"]
    assert settings.public_url in environment("checkout")["RETURN_ORIGINS"]


def test_audit__has_whole_settings_and_enters_databases_as_the_programs_do(installation, monkeypatch):
    folder, made = installation
    for variable in list(os.environ):
        monkeypatch.delenv(variable)
    for variable, value in environment("ops").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("SECRETS_DIR", str(folder / "ops"))
    where = deployment()
    assert str(where.kafka) == environment("checkout")["KAFKA_BOOTSTRAP"]
    assert where.databases() == {name: made.database_url(POSTGRES_HOST, name, "app") for name in DATABASES}
    migrated = {f"{name}-migrate" for name in DATABASES}
    assert CONTAINERS["ops"]["depends_on"].keys() == migrated


BUILT = {name: CONTAINERS[name]["build"] for name in sorted(CONTAINERS) if "build" in CONTAINERS[name]}


@pytest.mark.parametrize("name", BUILT)
def test_image__is_of_a_package_with_its_program_and_told_its_commit(name):
    told = BUILT[name]["args"]
    assert told["BUILD_REVISION"] == "${BUILD_REVISION:-unknown}"
    assert distribution(told["PACKAGE"])
    program = find_spec(told["PROGRAM"])
    assert program is not None
    assert program.submodule_search_locations is None or find_spec(f"{told['PROGRAM']}.__main__")


def test_commit__goes_to_what_booking_build_info_reads_and_on_the_image():
    """The variable was never set, and every image said `unknown`."""
    last = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2]
    lines = last.splitlines()
    given = lines.index("ARG BUILD_REVISION=unknown")
    assert "build_revision" in ServiceSettings.model_fields
    assert lines.index("ENV BUILD_REVISION=${BUILD_REVISION}") > given
    assert lines.index("LABEL org.opencontainers.image.revision=${BUILD_REVISION}") > given
    for page in ("docs/releasing.md", "docs/kubernetes.md"):
        for command in re.findall(r"docker build (?:.*\\\n)*.*", (ROOT / page).read_text("utf-8")):
            assert "--build-arg BUILD_REVISION=" in command, page


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_container__is_bounded_and_its_log_too(name):
    """One that grows without end takes the whole machine with it."""
    container = CONTAINERS[name]
    assert container["mem_limit"]
    assert {"max-size", "max-file"} <= container["logging"]["options"].keys()
    assert (container.get("restart") == "unless-stopped") == (name not in JOBS)


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_container__can_change_nothing_of_its_image_and_gain_no_right(name):
    """PostgreSQL and Kafka too: they were the two that ran with all of Docker's capabilities."""
    container = CONTAINERS[name]
    assert container["read_only"]
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["pids_limit"]
    assert set(container.get("cap_add", [])) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    assert not container.get("privileged")


def test_broker__may_execute_what_it_unpacks():
    """Its library of zstd is loaded of /tmp, and a tmpfs of Docker's executes nothing: no record of ours was taken."""
    assert "/tmp:exec" in CONTAINERS["kafka"]["tmpfs"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_stop__docker_waits_longer_than_a_stop_may_take(name):
    """Docker's own ten seconds were less than ours."""
    grace = ServiceSettings.model_fields["shutdown_grace_seconds"].default
    assert int(CONTAINERS[name]["stop_grace_period"].removesuffix("s")) > grace


@pytest.mark.parametrize("name", sorted(name for name in CONTAINERS if CONTAINERS[name].get("ports")))
def test_port__may_be_a_range_or_any_so_that_copies_find_theirs(name):
    """`--scale` met a taken port."""
    (port,) = CONTAINERS[name]["ports"]
    assert re.fullmatch(rf"127\.0\.0\.1:\$\{{{name.upper()}_PORT-\d+\}}:8000", port)


def test_image__is_asked_whether_it_is_alive_and_not_whether_it_is_ready():
    """The check asked /readyz, so a database away made every container unhealthy."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
    assert "/healthz" in dockerfile
    assert "u.urlopen" in dockerfile
    assert "8000/readyz" not in dockerfile
    assert not re.search(r"CMD .*readyz", dockerfile)


def test_volumes__are_made_for_the_user_of_the_images():
    """A new volume takes the owner of the image's folder: one that the image lacks would be root's."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
    (names,) = re.findall(r"for name in ([^;]+);", dockerfile)
    places = {place[0].removeprefix("/run/booking/") for place in mounted("secrets").values()}
    assert set(names.replace("\\", " ").split()) == places


OBSERVERS = {"prometheus", "alertmanager", "grafana", "otel-collector", "tempo"}


def test_observability__is_started_where_it_is_asked_for_alone():
    assert {name for name in CONTAINERS if CONTAINERS[name].get("profiles") == ["observability"]} == OBSERVERS
    assert {name for name in CONTAINERS if "profiles" in CONTAINERS[name]} == OBSERVERS | {"ops"}
    assert CONTAINERS["ops"]["profiles"] == ["ops", "observability"]
    for name in OBSERVERS:
        ours = [volume for volume in CONTAINERS[name].get("volumes", []) if volume.startswith("./")]
        assert ours
        assert all((ROOT / volume.split(":")[0]).is_dir() and volume.endswith(":ro") for volume in ours)
        named = {volume.split(":")[0] for volume in CONTAINERS[name]["volumes"]} - {one.split(":")[0] for one in ours}
        assert named <= set(COMPOSE["volumes"])


def test_observability__each_finds_the_others_under_their_names():
    folder = ROOT / "deploy/observability"
    read = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in folder.glob("*.yml")}
    commands = " ".join(" ".join(CONTAINERS[name].get("command", [])) for name in OBSERVERS)
    assert {f"/etc/booking/{name}.yml" for name in read} <= set(re.findall(r"=(/etc/booking/\S+?\.yml)", commands))
    jobs = read["prometheus"]["scrape_configs"]
    assert {job["job_name"] for job in jobs} == SERVICES | {"ops"}  # the rules' `job`
    assert all(job["dns_sd_configs"][0]["names"] == [job["job_name"]] for job in jobs)
    (managers,) = read["prometheus"]["alerting"]["alertmanagers"][0]["static_configs"]
    assert managers["targets"] == ["alertmanager:8000"]
    assert read["otel-collector"]["exporters"]["otlp/tempo"]["endpoint"] == "tempo:4317"
    assert read["tempo"]["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    sources = yaml.safe_load((folder / "grafana/provisioning/datasources/booking.yml").read_text("utf-8"))
    assert {one["url"] for one in sources["datasources"]} == {"http://prometheus:8000", "http://tempo:8000"}
    assert "otel-collector:4318" in (ROOT / "docker-compose.yml").read_text("utf-8")
    assert read["otel-collector"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")


def test_collector__hands_traces_through_what_is_declared_and_samples_them_whole():
    config = yaml.safe_load((ROOT / "deploy/observability/otel-collector.yml").read_text("utf-8"))
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(config[kind])
    steps = config["service"]["pipelines"]["traces"]["processors"]
    assert steps.index("memory_limiter") < steps.index("tail_sampling") < steps.index("batch")
    policies = config["processors"]["tail_sampling"]["policies"]
    assert all(policy["type"] in policy for policy in policies)
    assert {policy["name"] for policy in policies} >= {"failed", "slow", "a-tenth"}
