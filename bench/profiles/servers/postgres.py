"""PostgreSQL by an entry script: DDL, COPY, sorts, VACUUM, replication, crashes, TLS, dumps."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from bench.profiles.clients import certificate, connect, exchange
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Workload, executing, step
from tests.debian import clients
from tests.debian.programs import postgres, postgres_folder

ENTRY = """#!/bin/sh
set -e
BIN={bin}
export PATH=$BIN:$PATH
if [ ! -s /run/data/PG_VERSION ]; then
  mkdir -p /run/data && chmod 700 /run/data && chown app:app /run/data
  setpriv --reuid app --regid app --clear-groups \\
    initdb -D /run/data -A trust --no-sync --locale=C --encoding=UTF8 > /dev/null
  cat /run/extra.conf >> /run/data/postgresql.conf
  echo 'host replication all 127.0.0.1/32 trust' >> /run/data/pg_hba.conf
fi
exec setpriv --reuid app --regid app --clear-groups postgres -D /run/data "$@"
"""
EXTRA = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '/run'
ssl = on
ssl_cert_file = '/run/cert.pem'
ssl_key_file = '/run/key.pem'
logging_collector = on
log_directory = '/run/log'
log_min_messages = info
autovacuum_naptime = 1s
max_wal_senders = 4
wal_level = replica
jit = off
shared_buffers = 16MB
max_wal_size = 64MB
archive_mode = on
archive_command = 'cp %p /run/archive/%f'
"""


def prepare(box: Container) -> None:
    certificate(box)
    (box.folder / "entry").write_text(ENTRY.replace("{bin}", postgres_folder()))
    (box.folder / "entry").chmod(0o755)
    (box.folder / "extra.conf").write_text(f"port = {box.port}\n{EXTRA}")
    for name in ("archive", "log", "space", ""):
        (box.folder / name).mkdir(exist_ok=True)
        shutil.chown(box.folder / name, 1000, 1000)
    (box.folder / "key.pem").chmod(0o600)
    box.own = lambda: None  # type: ignore[method-assign]  # the entry script runs as root
    for each in ("key.pem", "cert.pem"):
        shutil.chown(box.folder / each, 1000, 1000)


def sql(box: Container, *texts: str) -> list[str]:
    base = clients.Postgres(Path(box.folder / f".s.PGSQL.{box.port}"))
    try:
        rows: list[str] = []
        for text in texts:
            rows = base.query(text)
        return rows
    finally:
        base.close()


def ready(box: Container) -> None:
    assert sql(box, "select 1") == ["1"]


def verify(box: Container) -> None:
    sql(box, "create table if not exists verified (n int)", "insert into verified values (1)")
    sql(box, "checkpoint", "vacuum")
    for table in sql(box, "select relname from pg_stat_user_tables"):
        sql(box, f"select count(*) from {table}")


@step
def make_a_table(box: Container) -> None:
    sql(
        box,
        "create table if not exists t (n int primary key, s text)",
        "insert into t select n, repeat('x', 100) from generate_series(1, 1000) n "
        "on conflict do nothing",
    )


@step
def select(box: Container) -> None:
    assert sql(box, "select count(*) from t") == ["1000"]


@step
def update_and_roll_back(box: Container) -> None:
    sql(box, "begin", "update t set s = 'y' where n < 10", "rollback")
    assert sql(box, "select count(*) from t where s = 'y'") == ["0"]


@step
def load_many_rows(box: Container) -> None:
    sql(
        box,
        "drop table if exists many",
        "create table many as select n, md5(n::text) s from generate_series(1, 60000) n",
        "create index on many (s)",
        "analyze many",
    )


@step
def sort_on_disk(box: Container) -> None:
    rows = sql(
        box,
        "set work_mem = '64kB'",
        "select count(*) from (select s, n from many order by s, n desc) x",
    )
    assert rows == ["60000"]


@step
def hash_on_disk(box: Container) -> None:
    assert sql(
        box,
        "set work_mem = '64kB'",
        "set enable_mergejoin = off",
        "select count(*) from many a join many b on a.s = b.s",
    ) == ["60000"]


@step
def query_in_parallel(box: Container) -> None:
    rows = sql(
        box,
        "set debug_parallel_query = on",
        "set min_parallel_table_scan_size = 0",
        "set parallel_setup_cost = 0",
        "select count(*) from many where n > 0",
    )
    assert rows == ["60000"]


@step
def copy_to_and_from_files(box: Container) -> None:
    sql(
        box,
        "copy t to '/run/t.copy'",
        "create table copied (like t)",
        "copy copied from '/run/t.copy'",
        "drop table copied",
    )


@executing("/usr/bin/dash", "/usr/bin/gzip")
def copy_through_a_program(box: Container) -> None:
    sql(box, "copy t to program 'cat > /run/t.program'")


@step
def keep_large_objects(box: Container) -> None:
    sql(
        box,
        "select lo_unlink(oid) from pg_largeobject_metadata",
        "select lo_from_bytea(0, convert_to(repeat('z', 3000000), 'UTF8'))",
    )


@step
def truncate(box: Container) -> None:
    sql(
        box,
        "create table cut as select * from many",
        "delete from cut where n > 10",
        "vacuum cut",
        "truncate cut",
        "drop table cut",
    )


@step
def vacuum_fully(box: Container) -> None:
    sql(
        box,
        "delete from many where n % 2 = 0",
        "vacuum many",
        "vacuum full many",
        "reindex table many",
        "cluster t using t_pkey",
    )


@step
def vacuum_by_itself(box: Container) -> None:
    sql(box, "create table dead as select n from generate_series(1, 5000) n", "delete from dead")
    try:
        wait_until(
            lambda: sql(box, "select sum(autovacuum_count) from pg_stat_user_tables") != ["0"]
        )
    finally:
        sql(box, "drop table dead")


@step
def make_a_tablespace_and_a_database(box: Container) -> None:
    sql(
        box,
        "create tablespace space location '/run/space'",
        "create table far (n int) tablespace space",
        "insert into far values (1)",
        "drop table far",
        "drop tablespace space",
    )
    sql(box, "create database other", "drop database other")


@step
def write_a_checkpoint(box: Container) -> None:
    sql(box, "checkpoint")


@step
def switch_and_archive_its_log(box: Container) -> None:
    sql(box, "insert into t values (-1, 'w') on conflict do nothing", "select pg_switch_wal()")


@executing("/usr/bin/dash", "/usr/bin/cp")
def archive_its_log_by_a_program(box: Container) -> None:
    sql(box, "select pg_switch_wal()")
    wait_until(lambda: any((box.folder / "archive").iterdir()))


@step
def time_out_a_statement(box: Container) -> None:
    try:
        sql(box, "set statement_timeout = '50ms'", "select pg_sleep(5)")
    except AssertionError as error:
        assert b"timeout" in error.args[0]
    else:
        raise AssertionError("it did not time out")


@step
def cancel_a_deadlock(box: Container) -> None:
    one = clients.Postgres(Path(box.folder / f".s.PGSQL.{box.port}"))
    other = clients.Postgres(Path(box.folder / f".s.PGSQL.{box.port}"))
    failures: list[str] = []

    def ask(base: clients.Postgres, text: str) -> None:
        try:
            base.query(text)
        except AssertionError as error:
            failures.append(str(error))

    ask(one, "begin; update t set s = 'a' where n = 1")
    ask(other, "begin; update t set s = 'b' where n = 2")
    thread = threading.Thread(target=ask, args=(one, "update t set s = 'a' where n = 2"))
    thread.start()
    ask(other, "update t set s = 'b' where n = 1")
    thread.join()
    one.close()
    other.close()
    assert any("deadlock" in each for each in failures), failures


@step
def listen_and_notify(box: Container) -> None:
    sql(box, "listen news", "notify news, 'x'", "select 1")


@step
def terminate_a_backend(box: Container) -> None:
    one = clients.Postgres(Path(box.folder / f".s.PGSQL.{box.port}"))
    [pid] = one.query("select pg_backend_pid()")
    assert sql(box, f"select pg_terminate_backend({pid})") == ["t"]
    one.close()


@step
def reload(box: Container) -> None:
    assert sql(box, "alter system set log_connections = on", "select pg_reload_conf()") == ["t"]
    wait_until(lambda: sql(box, "show log_connections") == ["on"])


@step
def rotate_logs(box: Container) -> None:
    for each in (box.folder / "log").iterdir():
        each.unlink()
    assert sql(box, "select pg_rotate_logfile()") == ["t"]
    wait_until(lambda: any((box.folder / "log").iterdir()))


def psql(box: Container, text: str, *options: str) -> str:
    url = f"host=127.0.0.1 port={box.port} user=app dbname=postgres {' '.join(options)}"
    return box.client(f"{postgres_folder()}/psql", "-Atc", text, url)


@step
def talk_tls(box: Container) -> None:
    assert (
        psql(
            box, "select ssl from pg_stat_ssl where pid = pg_backend_pid()", "sslmode=require"
        ).strip()
        == "t"
    )


@step
def refuse_nonsense(box: Container) -> None:
    with suppress(OSError):
        exchange(box.port, b"GET / HTTP/1.1\r\n\r\n" * 10)
    ready(box)


@step
def refuse_more_connections(box: Container) -> None:
    held = [connect(box.port) for _ in range(120)]
    for each in held:
        each.close()
    wait_until(lambda: sql(box, "select 1") == ["1"])


@step
def dump(box: Container) -> None:
    words = (f"{postgres_folder()}/pg_dump", "-h", "127.0.0.1", "-p", str(box.port), "-U", "app")
    assert "CREATE TABLE" in box.client(*words, "postgres")


@step
def make_a_base_backup(box: Container) -> None:
    words = (
        f"{postgres_folder()}/pg_basebackup",
        "-h",
        "127.0.0.1",
        "-p",
        str(box.port),
        "-U",
        "app",
        "-D",
        "-",
        "-F",
        "tar",
        "-X",
        "fetch",
        "-c",
        "fast",
    )
    done = box.client("/bin/sh", "-c", f"{' '.join(words)} | wc -c", seconds=40)
    assert int(done) > 1000000, done


@step
def stream_to_a_replica(box: Container) -> None:
    sql(box, "select pg_create_physical_replication_slot('one', true)")
    words = (
        f"{postgres_folder()}/pg_receivewal",
        "-h",
        "127.0.0.1",
        "-p",
        str(box.port),
        "-U",
        "app",
        "-D",
        "/tmp",
        "--slot",
        "one",
        "-n",
        "--endpos",
        "0/1",
    )
    done = box.client("/bin/sh", "-c", f"timeout 3 {' '.join(words)}; echo $?; rm -f /tmp/0*")
    assert done.strip().endswith(("0", "124")), done
    sql(box, "select pg_drop_replication_slot('one')")


@executing("pg_isready")
def check_health(box: Container) -> None:
    box.execute(f"{postgres_folder()}/pg_isready", "-h", "127.0.0.1", "-p", str(box.port))


@executing("/bin/sh", "psql")
def check_health_by_a_shell(box: Container) -> None:
    command = f"{postgres_folder()}/psql -h /run -p {box.port} -U app postgres -Atc 'select 1'"
    box.execute("/bin/sh", "-c", f"{command} | grep -q 1", user=1000)


@step
def recover_from_a_crash_of_a_backend(box: Container) -> None:
    one = clients.Postgres(Path(box.folder / f".s.PGSQL.{box.port}"))
    [pid] = one.query("select pg_backend_pid()")
    inner = {_inner_pid(each): each for each in box.pids()}
    os.kill(inner[int(pid)], 9)
    wait_until(lambda: sql(box, "select 1") == ["1"], 15)


def _inner_pid(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("NSpid")).split()[-1])


@step
def recover_from_a_crash(box: Container) -> None:
    sql(box, "create table if not exists kept (n int)", "insert into kept values (1)")
    box.crash()
    wait_until(lambda: sql(box, "select count(*) from kept") != ["0"], 20)


@step
def stop_fast_and_start(box: Container) -> None:
    box.signal("INT")
    box.wait()
    box.kill()
    box.start()
    ready(box)


@step
def restart(box: Container) -> None:
    box.restart()
    ready(box)


def _client() -> str:
    return postgres().replace("postgresql-", "postgresql-client-")


WORKLOAD = Workload(
    name="postgres",
    packages=(postgres(), _client()),
    argv=("/run/entry",),
    scanned=(
        "/usr/bin/dash",
        "/usr/bin/mkdir",
        "/usr/bin/chmod",
        "/usr/bin/chown",
        "/usr/bin/setpriv",
        "/usr/bin/cat",
        f"{postgres_folder()}/initdb",
        f"{postgres_folder()}/postgres",
        f"{postgres_folder()}/pg_isready",
    ),
    prepare=prepare,
    ready=ready,
    verify=verify,
    stop="INT",
    training=(make_a_table, select, update_and_roll_back),
    wide=(
        make_a_table,
        select,
        update_and_roll_back,
        load_many_rows,
        sort_on_disk,
        hash_on_disk,
        query_in_parallel,
        copy_to_and_from_files,
        copy_through_a_program,
        keep_large_objects,
        truncate,
        vacuum_fully,
        vacuum_by_itself,
        make_a_tablespace_and_a_database,
        write_a_checkpoint,
        switch_and_archive_its_log,
        archive_its_log_by_a_program,
        time_out_a_statement,
        cancel_a_deadlock,
        listen_and_notify,
        terminate_a_backend,
        reload,
        rotate_logs,
        talk_tls,
        refuse_nonsense,
        refuse_more_connections,
        dump,
        make_a_base_backup,
        stream_to_a_replica,
        check_health,
        check_health_by_a_shell,
        recover_from_a_crash_of_a_backend,
        recover_from_a_crash,
        stop_fast_and_start,
        restart,
    ),
)
