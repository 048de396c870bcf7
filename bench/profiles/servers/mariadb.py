"""MariaDB by an entry script: InnoDB and Aria, files, joins on disk, logs, replication, TLS, dumps."""

from __future__ import annotations

import shutil
from contextlib import suppress

from bench.profiles.clients import certificate, connect, exchange
from bench.profiles.container import Container, wait_until
from bench.profiles.workload import Workload, executing, step

ENTRY = """#!/bin/sh
set -e
if [ ! -d /run/data/mysql ]; then
  mkdir -p /run/data && chown app:app /run/data
  echo "CREATE USER root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;" \\
    > /run/data/init.sql
  ( echo 'CREATE DATABASE mysql;'; echo 'USE mysql;'
    cat /usr/share/mariadb/mariadb_system_tables.sql /usr/share/mariadb/mariadb_performance_tables.sql \\
        /usr/share/mariadb/mariadb_system_tables_data.sql
  ) | setpriv --reuid app --regid app --clear-groups \\
    mariadbd --defaults-file=/run/my.cnf --bootstrap --skip-grant-tables > /run/log/boot 2>&1
fi
exec setpriv --reuid app --regid app --clear-groups mariadbd --defaults-file=/run/my.cnf "$@"
"""
CONFIG = """
[mariadbd]
datadir = /run/data
port = {port}
bind-address = 127.0.0.1
socket = /run/my.sock
pid-file = /run/log/my.pid
log-error = /run/log/error.log
general-log = 1
general-log-file = /run/log/general.log
slow-query-log = 1
slow-query-log-file = /run/log/slow.log
log-bin = /run/data/binlog
server-id = 1
ssl-cert = /run/cert.pem
ssl-key = /run/key.pem
innodb-buffer-pool-size = 32M
innodb-log-file-size = 8M
secure-file-priv = /run/files
tmpdir = /tmp
skip-name-resolve
init-file = /run/data/init.sql
max-connections = 40
"""


def prepare(box: Container) -> None:
    certificate(box)
    (box.folder / "entry").write_text(ENTRY)
    (box.folder / "entry").chmod(0o755)
    (box.folder / "my.cnf").write_text(CONFIG.format(port=box.port))
    for name in ("log", "files"):
        (box.folder / name).mkdir()
        shutil.chown(box.folder / name, 1000, 1000)
    for each in ("key.pem", "cert.pem", ""):
        shutil.chown(box.folder / each, 1000, 1000)
    box.own = lambda: None  # type: ignore[method-assign]  # the entry script runs as root


def sql(box: Container, text: str, *options: str) -> str:
    """Run SQL, without TLS unless an option requests it."""
    words = ["mariadb", "-h", "127.0.0.1", "-P", str(box.port), "-u", "root", "-BN", "-D", "mysql"]
    if not any("ssl" in option for option in options):
        words.append("--skip-ssl")
    return box.client(*words, *options, "-e", text)


def ready(box: Container) -> None:
    assert sql(box, "select 1").strip() == "1"


def verify(box: Container) -> None:
    sql(box, "create table if not exists w.verified (n int); insert into w.verified values (1)")
    assert "error" not in sql(box, "check table w.t, w.verified extended").lower()


@step
def make_a_table(box: Container) -> None:
    sql(
        box,
        "create database if not exists w; create table if not exists w.t (n int primary key, "
        "s text); insert ignore into w.t select seq, repeat('x', 100) from seq_1_to_1000",
    )


@step
def select(box: Container) -> None:
    assert sql(box, "select count(*) from w.t").strip() == "1000"


@step
def update_and_roll_back(box: Container) -> None:
    sql(box, "begin; update w.t set s = 'y' where n < 10; rollback")
    assert sql(box, "select count(*) from w.t where s = 'y'").strip() == "0"


@step
def load_many_rows(box: Container) -> None:
    sql(
        box,
        "drop table if exists w.many; create table w.many engine=InnoDB as select seq n, "
        "md5(seq) s from seq_1_to_60000; alter table w.many add index (s); analyze table w.many",
    )


@step
def sort_on_disk(box: Container) -> None:
    sql(
        box,
        "set sort_buffer_size = 1024; select count(*) from (select s, n from w.many order by "
        "s, n desc limit 50000) x",
    )


@step
def join_through_temporary_tables(box: Container) -> None:
    sql(
        box,
        "set tmp_memory_table_size = 1024, max_heap_table_size = 16384; select count(*) from "
        "(select distinct s, repeat(s, 10) r from w.many union select s, s from w.t) x",
    )


@step
def write_and_load_files(box: Container) -> None:
    for each in (box.folder / "files").iterdir():
        each.unlink()
    sql(
        box,
        "select * from w.t into outfile '/run/files/t'; create table w.loaded like w.t; "
        "load data infile '/run/files/t' into table w.loaded; drop table w.loaded",
    )


@step
def keep_large_values(box: Container) -> None:
    sql(
        box,
        "create or replace table w.big (b longblob); insert into w.big values "
        "(repeat('z', 8000000)); select length(b) from w.big; drop table w.big",
    )


@step
def use_aria_and_myisam(box: Container) -> None:
    for engine in ("Aria", "MyISAM", "CSV", "MEMORY"):
        sql(
            box,
            f"create or replace table w.e (n int not null) engine={engine}; insert into w.e "
            "select seq from seq_1_to_1000; drop table w.e",
        )


@step
def repair_a_table(box: Container) -> None:
    sql(
        box,
        "create or replace table w.m (n int primary key) engine=MyISAM; insert into w.m "
        "select seq from seq_1_to_1000; repair table w.m; drop table w.m",
    )


@step
def truncate_and_optimize(box: Container) -> None:
    sql(
        box,
        "delete from w.many where n > 1000; optimize table w.many; create table w.cut as "
        "select * from w.many; truncate w.cut; drop table w.cut",
    )


@step
def alter_a_table(box: Container) -> None:
    sql(
        box,
        "alter table w.many add column x int default 1, algorithm=copy; alter table w.many "
        "row_format=compressed",
    )


@step
def partition_a_table(box: Container) -> None:
    sql(
        box,
        "create or replace table w.p (n int) partition by hash (n) partitions 4; insert into "
        "w.p select seq from seq_1_to_100; drop table w.p",
    )


@step
def make_and_drop_a_database(box: Container) -> None:
    sql(box, "create database other; create table other.t (n int); drop database other")


@step
def call_a_procedure(box: Container) -> None:
    sql(box, "create or replace procedure w.one() select 1; call w.one()")


@step
def run_an_event(box: Container) -> None:
    sql(
        box,
        "set global event_scheduler = on; create or replace event w.e on schedule at now() "
        "do insert ignore into w.t values (-1, 'e')",
    )
    wait_until(lambda: sql(box, "select count(*) from w.t where n = -1").strip() == "1")
    sql(box, "set global event_scheduler = off; delete from w.t where n = -1")


@step
def time_out_a_statement(box: Container) -> None:
    text = "set statement max_statement_time = 0.1 for select count(*) from w.t a, w.t b, w.t c"
    try:
        sql(box, text)
    except AssertionError as error:
        assert "max_statement_time" in str(error)
    else:
        raise AssertionError("it did not time out")


@step
def kill_a_connection(box: Container) -> None:
    sql(box, "select sleep(0); show processlist; show engine innodb status")
    sql(box, "kill user nobody@localhost", "--force")


@step
def flush_and_rotate_logs(box: Container) -> None:
    log = box.folder / "log/general.log"
    log.rename(log.with_suffix(".1"))
    sql(box, "flush logs; flush binary logs; purge binary logs before now()")
    wait_until(log.exists)


@step
def flush_logs_by_a_signal(box: Container) -> None:
    (box.folder / "log/slow.log").unlink()
    box.signal("HUP")
    wait_until((box.folder / "log/slow.log").exists)


@step
def talk_tls(box: Container) -> None:
    text = sql(box, "show status like 'Ssl_cipher'", "--ssl", "--skip-ssl-verify-server-cert")
    assert "TLS" in text, text


@step
def refuse_nonsense(box: Container) -> None:
    with suppress(OSError):
        exchange(box.port, b"GET / HTTP/1.1\r\n\r\n" * 10)
    ready(box)


@step
def refuse_more_connections(box: Container) -> None:
    held = [connect(box.port) for _ in range(60)]
    for each in held:
        each.close()
    wait_until(lambda: sql(box, "flush hosts; select 1").strip() == "1")


@step
def dump(box: Container) -> None:
    text = box.client(
        "mariadb-dump",
        "-h",
        "127.0.0.1",
        "-P",
        str(box.port),
        "-u",
        "root",
        "--skip-ssl",
        "--single-transaction",
        "w",
    )
    assert "CREATE TABLE" in text


@step
def stream_its_binary_log(box: Container) -> None:
    names = sql(box, "show binary logs").split()
    words = ("mariadb-binlog", "-R", "-h", "127.0.0.1", "-P", str(box.port), "-u", "root")
    assert "BINLOG" in box.client(*words, "--skip-ssl", names[0])


@step
def replicate_from_nothing(box: Container) -> None:
    sql(
        box,
        "change master to master_host='127.0.0.1', master_port=9, master_user='x'; "
        "start slave; stop slave; reset slave all",
    )


@step
def resize_its_buffers(box: Container) -> None:
    sql(box, "set global innodb_buffer_pool_size = 16777216")
    sql(box, "set global innodb_log_file_size = 16777216")


@executing("/usr/bin/mariadb-admin")
def check_health(box: Container) -> None:
    words = ("-h", "127.0.0.1", "-P", str(box.port), "-u", "root", "--skip-ssl", "ping")
    box.execute("/usr/bin/mariadb-admin", *words)


@executing("/bin/sh", "/usr/bin/mariadb")
def check_health_by_a_shell(box: Container) -> None:
    words = f"mariadb -h 127.0.0.1 -P {box.port} -u root --skip-ssl -e 'select 1'"
    box.execute("/bin/sh", "-c", f"{words} | grep -q 1")


@step
def recover_from_a_crash(box: Container) -> None:
    sql(box, "create table if not exists w.kept (n int); insert into w.kept values (1)")
    box.crash()
    assert sql(box, "select count(*) from w.kept").strip() != "0"


@step
def shut_down_by_a_statement(box: Container) -> None:
    sql(box, "shutdown")
    assert box.wait() == 0
    box.kill()
    box.start()


@step
def restart(box: Container) -> None:
    box.restart()


WORKLOAD = Workload(
    name="mariadb",
    packages=(
        "mariadb-server",
        "mariadb-server-core",
        "mariadb-client-core",
        "mariadb-client",
        "mariadb-common",
    ),
    argv=("/run/entry",),
    scanned=(
        "/usr/bin/dash",
        "/usr/bin/mkdir",
        "/usr/bin/chown",
        "/usr/bin/cat",
        "/usr/bin/setpriv",
        "/usr/sbin/mariadbd",
        "/usr/bin/mariadb-admin",
    ),
    prepare=prepare,
    ready=ready,
    verify=verify,
    training=(make_a_table, select, update_and_roll_back),
    wide=(
        make_a_table,
        select,
        update_and_roll_back,
        load_many_rows,
        sort_on_disk,
        join_through_temporary_tables,
        write_and_load_files,
        keep_large_values,
        use_aria_and_myisam,
        repair_a_table,
        truncate_and_optimize,
        alter_a_table,
        partition_a_table,
        make_and_drop_a_database,
        call_a_procedure,
        run_an_event,
        time_out_a_statement,
        kill_a_connection,
        flush_and_rotate_logs,
        flush_logs_by_a_signal,
        talk_tls,
        refuse_nonsense,
        refuse_more_connections,
        dump,
        stream_its_binary_log,
        replicate_from_nothing,
        resize_its_buffers,
        check_health,
        check_health_by_a_shell,
        recover_from_a_crash,
        shut_down_by_a_statement,
        restart,
    ),
)
