"""The root directory of all scenes: a Debian with the programs that they run, kept in build/."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.door.bare_root import apt_options, source

BUILD = Path(__file__).parents[3] / "build/explain"
SUITE = "trixie"
PACKAGES = """
    nodejs python3 python3-pip python3-venv openjdk-21-jdk-headless perl ruby lua5.4 php-cli
    bash dash zsh mksh busybox-static make gcc libc6-dev gdb-minimal strace
    postgresql sqlite3 redis-server memcached nginx-light caddy restic rclone
    ripgrep fd-find rust-coreutils bubblewrap sudo util-linux mount passwd adduser procps keyutils
    tar gzip xz-utils zstd zip unzip cpio rsync git patch file jq gawk sed coreutils findutils
    curl wget iputils-ping iproute2 iptables dnsutils netcat-openbsd socat openssl openssh-client
    e2fsprogs attr acl libcap2-bin fuse3 gnupg cron systemd dbus less vim-tiny inotify-tools
    chromium-headless-shell
    tcl guile-3.0 sbcl fish expect haproxy lighttpd apache2-bin dropbear-bin stunnel4 rsyslog
    dnsmasq-base mosquitto beanstalkd nats-server etcd-server prometheus-node-exporter gosu tini
    opendoas logrotate supervisor aria2 squashfs-tools qemu-utils tmux openssh-server hyperfine
    ed m4 lz4 pigz bzip2 monit uwsgi-core gcc-multilib
    r-base-core swi-prolog-nox erlang-base luajit mawk ksh93u+m jimsh elvish nickle bc
    cmake ninja-build ant ccache rcs rpm fakeroot just hugo
    mariadb-server-core bind9 unbound vsftpd tinyproxy-bin squid chrony openvpn gunicorn
    puma php-fpm docker-registry prometheus-pushgateway prometheus-alertmanager syncthing
    borgbackup mercurial subversion fossil age minisign bat eza hexyl fzf micro nano
    nftables tcpdump wireguard-tools nmap traceroute fping iperf3
    imagemagick optipng jpegoptim poppler-utils gnuplot-nox rrdtool xorriso
    btrfs-progs xfsprogs fdisk cryptsetup-bin kmod numactl schedtool stress-ng ltrace firejail
    fuse-overlayfs uidmap systemd-container crun moreutils parallel pv screen at entr incron
    libdbd-sqlite3-perl python3-yaml python3-requests python3-psutil ruby-bundler
"""
# Debian's postgresql has its programs in a folder by version. Scenes have no DNS.
FINISH = """
set -e
ln -s /usr/lib/postgresql/* /usr/lib/postgresql/current
useradd --create-home --shell /bin/bash app
mkdir -p /srv
rm -f /etc/resolv.conf
"""


def make_debian_root() -> Path:
    """Return the root directory; made anew when the list of packages changes."""
    digest = hashlib.sha256(" ".join([SUITE, *PACKAGES.split(), FINISH]).encode()).hexdigest()[:12]
    root = BUILD / f"root-{digest}"
    if root.exists():
        return root
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        unfinished = Path(folder) / "root"
        options = Path(folder) / "apt.conf"
        options.write_text(apt_options())
        # In a mount namespace of its own: mmdebstrap binds the machine's /dev/shm into the
        # directory, which must not be there when that of an interrupted build is removed.
        words = ["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--quiet"]
        words += ["--variant=apt", "--mode=root", f"--aptopt={options}"]
        words += [
            "--aptopt=APT::Install-Recommends false",
            f"--include={','.join(PACKAGES.split())}",
        ]
        words += [f'--customize-hook=chroot "$1" sh -c "{FINISH}"']
        subprocess.run([*words, SUITE, unfinished, source(SUITE)], check=True)
        unfinished.chmod(0o755)
        shutil.move(unfinished, root)
    return root
