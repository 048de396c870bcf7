# What a distribution's init would do, then the checks, then off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export TERM=dumb NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1 </dev/null
# Without /dev/fd execveat(2) of a memory file fails with ENOENT where TOMOYO is on (Linux 5.10: it
# looks the file up by that name), and runc and crun re-execute themselves so.
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin # by which dockerd is given a configuration to validate
mkdir -p /dev/pts /dev/shm /sys/fs/cgroup
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t securityfs securityfs /sys/kernel/security
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
word() { sed -n "s/.*seclatch\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
if [ "$(word cgroup)" = 1 ]; then
	mount -t tmpfs tmpfs /sys/fs/cgroup
	for name in cpu cpuacct cpuset devices freezer memory pids blkio; do
		mkdir "/sys/fs/cgroup/$name"
		mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"
	done
else
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
busybox ip link set lo up
echo "@@ BOOTED $(cut -d' ' -f1 /proc/uptime) $(uname -r) $(cat /sys/kernel/security/lsm)"
cd "$(word project)" || exit
script=$(word script)
if [ "$script" ]; then
	sh "$script"
else
	"$(word python)" -m tests.hosts.guest.checks $(word run)
fi
echo "@@ ENDED $(cut -d' ' -f1 /proc/uptime)"
echo o >/proc/sysrq-trigger
sleep 60
