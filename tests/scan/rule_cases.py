"""Cases of library rules: for each a program that lifts it and one that does not.

Both contain the code behind the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HEADERS = (
    "stdio",
    "stdlib",
    "string",
    "unistd",
    "sched",
    "signal",
    "spawn",
    "pthread",
    "mqueue",
    "fcntl",
    "netdb",
    "errno",
    "glob",
    "ftw",
    "limits",
    "dlfcn",
    "grp",
    "sys/socket",
    "sys/stat",
    "sys/uio",
    "sys/prctl",
    "sys/wait",
    "sys/mman",
    "ifaddrs",
    "poll",
    "dirent",
    "libintl",
)

SPAWN = """
  posix_spawnattr_t a; posix_spawnattr_init(&a); posix_spawnattr_setflags(&a, FLAGS);
  posix_spawn_file_actions_t f; posix_spawn_file_actions_init(&f); ACTIONS;
  char *words[] = {"true", 0}; pid_t child; posix_spawn(&child, "/bin/true", &f, &a, words, 0);
  waitpid(child, 0, 0);"""


def spawn(flags: str = "POSIX_SPAWN_SETSIGMASK", actions: str = "") -> str:
    return SPAWN.replace("FLAGS", flags).replace("ACTIONS", actions)


def access(flags: str, mode: str = "R_OK") -> str:
    return f'faccessat(AT_FDCWD, "/etc", {mode}, {flags});'


THREAD = """
  pthread_t t; pthread_create(&t, 0, (void *(*)(void *))strdup, ""); pthread_join(t, 0);"""

MUTEX = """
  pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setprotocol(&a, KIND);
  pthread_mutex_t m; pthread_mutex_init(&m, &a); pthread_mutex_lock(&m);"""

GLOB = "glob_t g; glob(WHAT, FLAGS, 0, &g);"

TLS = ("-l:libssl.so.3", "-l:libcrypto.so.3")

QUIC = """
  void *OSSL_QUIC_client_method(void), *SSL_CTX_new(void *), *SSL_new(void *);
  int SSL_set_fd(void *, int);
  void *s = SSL_new(SSL_CTX_new(OSSL_QUIC_client_method())); if (s) SSL_set_fd(s, 0);"""

CAP, LOG = ("-l:libcap.so.2",), ("-l:libaudit.so.1",)

CAPABILITIES = "void *cap_get_proc(void); cap_get_proc();"

AUDIT = """
  int audit_log_acct_message(int, int, char *, char *, char *, int, char *, char *, char *, int);
  audit_log_acct_message(-1, 0, 0, "", "", 0, HOST, 0, 0, 0);"""

TEXT = 'bindtextdomain("none", WHERE); puts(dgettext("none", "x"));'

UNPRIVILEGED = "gid_t g = 65533; setgroups(1, &g); setgid(65534); setuid(65534);"

REALPATH = 'char b[PATH_MAX]; realpath("/bin/../etc", b);'

MUCH = "char *p = malloc(10); p = realloc(p, 10000000); free(p);"


@dataclass(frozen=True)
class Case:
    """A pair of programs: `opening` can issue `call`, `shut` cannot.

    `flags` are the compiler's and `environment` the program's, for `opening`; `libraries` are
    linked to both.
    """

    call: str
    opening: str
    shut: str
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()


CASES = {
    "priority-mutexes": Case(
        "sched_setscheduler",
        MUTEX.replace("KIND", "PTHREAD_PRIO_PROTECT"),
        MUTEX.replace("KIND", "PTHREAD_PRIO_INHERIT"),
    ),
    "dns": Case("getpeername", 'getnetbyname("none");', "getgrent();"),
    "login-name": Case(
        "readlink",
        GLOB.replace("WHAT", '"~"').replace("FLAGS", "GLOB_TILDE"),
        GLOB.replace("WHAT", '"/e*"').replace("FLAGS", "GLOB_MARK"),
    ),
    "process-groups": Case("setpgid", spawn("POSIX_SPAWN_SETPGROUP"), spawn()),
    "other-groups": Case(
        "getpgid", spawn(actions="posix_spawn_file_actions_addtcsetpgrp_np(&f, 0)"), spawn()
    ),
    "sessions": Case("setsid", spawn("POSIX_SPAWN_SETSID"), spawn()),
    "effective-users": Case("setresuid", spawn("POSIX_SPAWN_RESETIDS"), spawn()),
    "real-user": Case("getuid", access("AT_SYMLINK_NOFOLLOW"), access("AT_EACCESS")),
    "effective-user": Case("geteuid", access("AT_EACCESS"), access("AT_SYMLINK_NOFOLLOW")),
    "real-group": Case(
        "getgid", access("AT_SYMLINK_NOFOLLOW"), access("AT_SYMLINK_NOFOLLOW", "F_OK")
    ),
    "effective-group": Case("getegid", access("AT_EACCESS"), access("AT_EACCESS", "F_OK")),
    "groups": Case("getgroups", access("AT_EACCESS"), REALPATH + access("0x300", "F_OK")),
    "directories": Case(
        "chdir", spawn(actions='posix_spawn_file_actions_addchdir_np(&f, "/")'), spawn()
    ),
    "open-directories": Case(
        "fchdir", spawn(actions="posix_spawn_file_actions_addfchdir_np(&f, 3)"), spawn()
    ),
    "temporary-directories": Case(
        "mkdir",
        'char t[] = "/tmp/gateXXXXXX"; rmdir(mkdtemp(t));',
        'char t[] = "/tmp/gateXXXXXX"; mkstemp(t); unlink(t);',
    ),
    "name-cache": Case("readv", "readv(-1, 0, 0);", 'getgrnam("root");'),
    "name-cache-messages": Case(
        "recvmsg", "struct ifaddrs *i; getifaddrs(&i);", 'getgrnam("root");'
    ),
    "name-cache-waiting": Case("poll", "poll(0, 0, 0);", 'getgrnam("root");'),
    "name-cache-requests": Case("sendto", "send(-1, 0, 0, 0);", 'getgrnam("root");'),
    "closing-ranges": Case(
        "close_range", spawn(actions="posix_spawn_file_actions_addclosefrom_np(&f, 9)"), spawn()
    ),
    "memory-size": Case("sysinfo", "sysconf(_SC_PHYS_PAGES);", "sysconf(_SC_PAGESIZE);"),
    "affinity": Case(
        "sched_setaffinity", "cpu_set_t s; CPU_ZERO(&s); sched_setaffinity(0, 0, &s);", THREAD
    ),
    "named-memory": Case("prctl", MUCH, MUCH, (), {"GLIBC_TUNABLES": "glibc.mem.decorate_maps=1"}),
    "advice": Case("madvise", THREAD, MUCH),
    "processors": Case(
        "sched_getaffinity", "sysconf(_SC_NPROCESSORS_ONLN);", "sysconf(_SC_PAGESIZE);"
    ),
    "loader-directory": Case(
        "getcwd",
        'dlopen("./none.so", RTLD_NOW);',
        'dlopen("libm.so.6", RTLD_NOW); dlopen("/none.so", RTLD_NOW);',
    ),
    "loader-origin": Case("readlinkat", "", "", ("-Wl,-rpath,$ORIGIN/lib",)),
    "ends-of-threads": Case("exit", THREAD, 'puts("x");'),
    "current-directory": Case(
        "getcwd", TEXT.replace("WHERE", '"none"'), TEXT.replace("WHERE", '"/none"')
    ),
    "directory-entries": Case(
        "getdents64", 'readdir(opendir("/"));', MUCH + TEXT.replace("WHERE", '"/none"')
    ),
    "libcap-locks": Case("sched_yield", CAPABILITIES + THREAD, CAPABILITIES, libraries=CAP),
    "audit-hosts": Case(
        "bind", AUDIT.replace("HOST", '"none"'), AUDIT.replace("HOST", "0"), libraries=LOG
    ),
    "reads-without-flags": Case(
        "preadv",
        "preadv2(-1, 0, 0, 0, 0);",
        "preadv2(-1, 0, 0, 0, 8);",  # RWF_NOWAIT
    ),
    "writes-without-flags": Case(
        "pwritev", "pwritev2(-1, 0, 0, 0, 0);", "pwritev2(-1, 0, 0, 0, 8);"
    ),
    "random-without-kernel": Case(
        "ppoll", "ppoll(0, 0, &(struct timespec){0}, 0);", "arc4random();"
    ),
    "openssl-quic": Case(
        "recvmmsg",
        QUIC,
        QUIC.replace("OSSL_QUIC_client", "TLS"),
        libraries=TLS,
    ),
    "streams": Case("ioctl", 'puts("x");', ""),
}

RANDOM = "int RAND_bytes(void *, int); char b[9]; RAND_bytes(b, sizeof b);"

NEVER = {
    "sunrpc": Case("", "", ""),
    "user-database": Case("", "", ""),  # tests/scan/test_user_database.py
    "user-database-connection": Case("", "", ""),  # the same
    "block-device-tools": Case("", "", ""),  # tests/scan/test_block_device_tools.py
    "loader-alone": Case("execve", "", ""),
    "loader-diagnostics": Case("uname", "", ""),
    "openssl-random": Case("shmget", "", RANDOM, libraries=TLS),
}
"""Gates that no program of today can open, and a call that `shut` would have without."""

KERNELS = {
    "random-without-kernel": ((3, 16), (3, 17)),
    "openssl-random": ((3, 16), (3, 17)),
    "reads-without-flags": ((4, 5), (4, 6)),
    "writes-without-flags": ((4, 5), (4, 6)),
}
"""The kernel version decides: the last that lifts a rule, and the first that does not."""
