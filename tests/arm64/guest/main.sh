# What a distribution's init would do, then the tests, then off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8
export TERM=dumb NO_COLOR=1 SECLATCH_GUEST=1 SECLATCH_PROGRAMS=/guest/programs
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1 </dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
ln -s /proc/self/fd /dev/fd
for number_name in 0:stdin 1:stdout 2:stderr; do
	ln -s "/proc/self/fd/${number_name%:*}" "/dev/${number_name#*:}"
done
insmod /guest/overlay.ko
busybox ip link set lo up
since() { cut -d' ' -f1 /proc/uptime; }
echo "@@ BOOTED $(since) $(uname -srm), SVE: $(grep -c -w sve /proc/cpuinfo)"
# The wheel as a user installs it, by arm64's own pip; the machine has no network. pip and the
# tests' tools lie unpacked beside it: unpacking them here takes a minute under emulation.
python3 -m venv --without-pip /opt/seclatch
for site in /opt/seclatch/lib/python3*/site-packages; do echo /guest/tools >"$site/tools.pth"; done
/opt/seclatch/bin/python3 -m pip install -q --no-index --no-compile \
	--find-links /guest/wheels --disable-pip-version-check seclatch
echo "@@ INSTALLED $(since) $(/opt/seclatch/bin/seclatch --version)"
cd /guest/seclatch
export PATH=/opt/seclatch/bin:$PATH
python3 -m tests.arm64.guest.run "$(sed -n 's/.*seclatch\.run=\([^ ]*\).*/\1/p' /proc/cmdline)"
echo "@@ ENDED $(since)"
echo o >/proc/sysrq-trigger
sleep 60
