from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from config import environment

STRONG = "Zc7Qm0l9Yt2sVb6Nn4Xk8Rj1Hg5Fd3Wa0Pq_uEoI"


@pytest.fixture
def development(monkeypatch, tmp_path):
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    for name in ("DEBUG", "SECRET_KEY", "FERNET_KEYS", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def production(development, monkeypatch):
    monkeypatch.setenv("DEBUG", "0")
    monkeypatch.setenv("SECRET_KEY", STRONG)
    monkeypatch.setenv("FERNET_KEYS", Fernet.generate_key().decode())


def test_development_generates_keys_once_and_keeps_them_private(development, tmp_path):
    first = (environment.secret_key(), environment.fernet_keys())

    assert (environment.secret_key(), environment.fernet_keys()) == first
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("missing", ["SECRET_KEY", "FERNET_KEYS"])
def test_production_refuses_to_start_without_a_key_and_names_it(production, monkeypatch, missing, tmp_path):
    monkeypatch.delenv(missing)

    with pytest.raises(environment.MisconfiguredEnvironment, match=f"{missing} is missing"):
        environment.secret_key() if missing == "SECRET_KEY" else environment.fernet_keys()
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("weak", ["short", "a" * 64])
def test_production_refuses_a_weak_secret_key(production, monkeypatch, weak):
    monkeypatch.setenv("SECRET_KEY", weak)

    with pytest.raises(environment.MisconfiguredEnvironment, match="SECRET_KEY is weak"):
        environment.secret_key()


def test_a_malformed_fernet_key_is_named_by_its_place_and_not_shown(production, monkeypatch):
    monkeypatch.setenv("FERNET_KEYS", f"{Fernet.generate_key().decode()},not-a-key-but-secret")

    with pytest.raises(environment.MisconfiguredEnvironment, match="key 2") as refusal:
        environment.fernet_keys()
    assert "not-a-key-but-secret" not in str(refusal.value)


def test_sockets_move_to_a_short_path_when_var_dir_is_deep(development, monkeypatch, tmp_path):
    assert environment.socket_directory() == tmp_path / "run"

    monkeypatch.setenv("VAR_DIR", str(tmp_path / ("deep/" * 30)))
    assert len(str(environment.socket_directory())) <= environment.LONGEST_SOCKET_DIRECTORY


def test_the_broker_url_says_the_same_server_in_celerys_spelling(development, monkeypatch):
    assert environment.broker_url() == f"redis+socket://{environment.socket_directory()}/valkey.sock"

    monkeypatch.setenv("REDIS_URL", "redis://example:6379/3")
    assert environment.broker_url() == "redis://example:6379/3"


def test_the_public_url_follows_the_port_and_loses_its_trailing_slash(development, monkeypatch):
    monkeypatch.setenv("PORT", "9000")
    assert environment.public_url() == "http://127.0.0.1:9000"

    monkeypatch.setenv("PUBLIC_URL", "https://yard.example.com/")
    assert environment.public_url() == "https://yard.example.com"


@pytest.mark.parametrize("url", ["http://10.0.0.7:8000", "https://yard.example.com:8443/", "http://[::1]:8000"])
def test_a_public_url_is_a_scheme_and_a_host(development, monkeypatch, url):
    monkeypatch.setenv("PUBLIC_URL", url)

    assert environment.public_url() == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "yard.example.com",
            "localhost:8000",
            "//yard.example.com",
            "ftp://yard.example.com",
            "https://",
            "https:///x",
        ),
        *("https://yard.example.com/yard", "https://yard.example.com?x=1", "https://yard.example.com#x"),
        *("https://ann:hunter2@yard.example.com", "https://yard.example.com:x", "https://yard.example.com:99999"),
        *("https://yard .example.com", "https://yard.example.com\\x", "https://a.example.com,https://b.example.com"),
    ],
)
def test_any_other_public_url_stops_the_start_with_an_example_and_is_not_shown(development, monkeypatch, url):
    monkeypatch.setenv("PUBLIC_URL", url)

    with pytest.raises(
        environment.MisconfiguredEnvironment, match=r"PUBLIC_URL must .*https://events\.example\.com"
    ) as no:
        environment.public_url()
    assert "hunter2" not in str(no.value)


@pytest.mark.parametrize(
    "name, read", [("DATABASE_URL", environment.env.db_url), ("EMAIL_URL", environment.env.email_url)]
)
def test_a_password_that_breaks_its_url_stops_the_start_and_is_not_shown(development, monkeypatch, name, read):
    monkeypatch.setenv(name, "postgres://ann:pass/word@db.example.com:5432/switchyard")

    with pytest.raises(environment.MisconfiguredEnvironment) as stopped:
        environment.server_of(name, read)
    message = str(stopped.value)
    assert message.startswith(f"switchyard: {name} ")
    assert "pass" not in message.replace("password", "")
