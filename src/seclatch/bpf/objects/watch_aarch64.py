"""Compiled from native/bpf/watch.bpf.c by `make bpf`; not to be edited."""

# fmt: off
# ruff: noqa: E501
SECTIONS = {
    'find_watcher': 'raw_tp',
    'end_check': 'fexit/__secure_computing',
    'enter_call': 'tp_btf/sys_enter',
    'leave_call': 'tp_btf/sys_exit',
    'end_thread': 'tp_btf/sched_process_exit',
    'send_signal': 'tp_btf/signal_generate',
    'log_call': 'fentry/audit_seccomp',
}
MAPS = {
    'states': (29, 4, 8, 0, 1, ''),
    'denied': (1, 56, 24, 16384, 0, ''),
    'copied': (9, 24, 4, 8192, 0, ''),
    'denials': (27, 0, 0, 4194304, 0, ''),
    'copies': (27, 0, 0, 4194304, 0, ''),
    '.rodata': (2, 4, 1048, 1, 128, ''),
    '.bss': (2, 4, 32, 1, 1024, ''),
}
VARIABLES = {
    'value_arguments': ('.rodata', 4, 512),
    'audited': ('.rodata', 0, 4),
    'path_arguments': ('.rodata', 516, 512),
    'denial_type': ('.rodata', 1032, 8),
    'filter_copy_type': ('.rodata', 1040, 8),
    'watcher': ('.bss', 0, 32),
}
FUNCTIONS = {
    'note_denial': (
        (
            '635a90ff00000000bc47000000000000bc38000000000000bc29000000000000'
            'bf1600000000000085000000af0000007b0aa0ff000000007b6aa8ff00000000'
            '7961380000000000b7060000000000007b6ac8ff00000000637ac8ff00000000'
            '7b6ac0ff00000000638ac4ff000000007b6ab8ff00000000639a98ff00000000'
            '639abcff00000000bf190000000000007b6ae0ff000000007b6ad8ff00000000'
            '7b6ad0ff000000007b6ab0ff000000008500000005000000bf07000000000000'
            '7b6ae8ff00000000b701000040000000bf930000000000000f13000000000000'
            'bfa100000000000007010000e8ffffffb4020000080000008500000071000000'
            '79a6e8ff00000000b408000000000000638ae8ff00000000b701000000000000'
            'bf630000000000000f13000000000000bfa100000000000007010000e8ffffff'
            'b402000004000000850000007100000061a2e8ff000000001801000000000000'
            '00000000000000006111180000000000ae127d0000000000b702000008000000'
            '0f26000000000000540100001f0000007b7a88ff00000000b707000010000000'
            '2f170000000000000f67000000000000638ae8ff00000000b701000000000000'
            'bf730000000000000f13000000000000bfa100000000000007010000e8ffffff'
            'b402000004000000850000007100000061a6e8ff00000000b701000000000000'
            '7b1ae8ff00000000b7010000080000000f17000000000000bfa1000000000000'
            '07010000e8ffffffb402000008000000bf7300000000000079a788ff00000000'
            '850000007100000079a3e8ff00000000638ae8ff00000000b701000008000000'
            '0f13000000000000bfa100000000000007010000e8ffffffb402000004000000'
            '850000007100000061a1e8ff0000000018020000000000000000000000000000'
            '61221c00000000005e21560000000000636ab8ff000000001606540000000000'
            '79a1a8ff00000000791400000000000074040000160000005404000001000000'
            '61a190ff000000004c14000000000000634ac0ff000000007991280000000000'
            '7b1ab0ff0000000079a3a0ff0000000079311000000000007932080000000000'
            '7933000100000000540400000100000061a598ff000000005604110000000000'
            '26051000ff010000bc5400000000000018050000000000000000000000000000'
            '0f450000000000007154000000000000bc450000000000005405000001000000'
            '16050100000000007b3ad0ff00000000bc430000000000005403000002000000'
            '16030100000000007b2ad8ff0000000054040000040000001604010000000000'
            '7b1ae0ff00000000bfa200000000000007020000b0ffffff1801000000000000'
            '000000000000000085000000010000005500180000000000b701000000000000'
            '7b1af8ff000000007b1af0ff000000007b1ae8ff00000000bfa7000000000000'
            '07070000b0ffffffbfa300000000000007030000e8ffffffb706000001000000'
            '18010000000000000000000000000000bf72000000000000b704000001000000'
            '850000000200000018010000000000000000000000000000bf72000000000000'
            '79a788ff00000000850000000100000055000400000000001801000000000000'
            '0000000000000000db610800000000000500150000000000b701000001000000'
            'db100000000000007b7008000000000018010000000000000000000000000000'
            '7911000000000000070100000100000079021000000000001d120c0000000000'
            '7b1010000000000061a3b8ff0000000079a2b0ff0000000079a6a8ff00000000'
            'bf610000000000008510000007000000bfa300000000000007030000b0ffffff'
            'bf6100000000000079a2a0ff00000000bf740000000000008510000047000000'
            '9500000000000000'
        ),
        ((1320, 'copy_filters'), (1368, 'send_denial')),
        (
            (344, '.bss', 0),
            (656, '.bss', 0),
            (848, '.rodata', 4),
            (984, 'denied', None),
            (1088, 'denied', None),
            (1128, 'denied', None),
            (1176, '.bss', 0),
            (1232, '.bss', 0),
        ),
        (
            (64, 'task_struct.group_leader', 0, False),
            (200, 'task_struct.thread_pid', 0, False),
            (280, 'pid.level', 0, False),
            (376, 'pid.numbers', 0, False),
            (408, 'upid', 0, False),
            (440, 'upid.nr', 0, False),
            (520, 'upid.ns', 0, False),
            (600, 'pid_namespace.ns.inum', 0, False),
            (712, 'task_struct.thread_info.flags', 0, False),
            (760, 'task_struct.start_boottime', 0, False),
            (784, 'pt_regs.regs', 16, False),
            (792, 'pt_regs.regs', 8, False),
            (800, 'pt_regs.orig_x0', 0, False),
        ),
        (
            '0 watch_denials.h:133: static __noinline void note_denial(struct task_struct *task, __u32 number, enum denial_answer answer,\n'
            '40 watch_denials.h:136: struct pt_regs *regs = bpf_task_pt_regs(task);\n'
            '64 watch_denials.h:137: struct task_struct *leader = task->group_leader;\n'
            '80 watch_denials.h:138: struct denied_key key = { .number = number, .answer = answer, .error = error };\n'
            '176 watch_denials.h:139: __u64 arguments[6], now = bpf_ktime_get_ns();\n'
            '192 watch_denials.h:24: struct pid *pid = READ(task->thread_pid);\n'
            '272 watch_denials.h:27: if (READ(pid->level) < watcher.level)\n'
            '392 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '432 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '504 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '592 watch_denials.h:30: return READ(seen.ns->ns.inum) == watcher.pids ? seen.nr : 0;\n'
            '688 watch_denials.h:141: key.tgid = read_visible(leader);\n'
            '696 watch_denials.h:142: if (!key.tgid)\n'
            '704 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '736 watch_denials.h:144: key.mode = mode | (compat_mode(task) ? DENIAL_COMPAT : 0);\n'
            '760 watch_denials.h:145: key.started = leader->start_boottime;\n'
            '784 registers.h:110: arguments[2] = regs->regs[2];\n'
            '792 registers.h:109: arguments[1] = regs->regs[1];\n'
            '800 registers.h:108: arguments[0] = regs->orig_x0;\n'
            '808 watch_denials.h:10: if (key->mode & DENIAL_COMPAT || key->number >= NUMBERS)\n'
            '840 watch_denials.h:12: spec = value_arguments[key->number & (NUMBERS - 1)];\n'
            '880 watch_denials.h:13: if (spec & KEEP_ARG0)\n'
            '904 watch_denials.h:14: key->values[0] = arguments[0];\n'
            '912 watch_denials.h:15: if (spec & KEEP_ARG1)\n'
            '936 watch_denials.h:16: key->values[1] = arguments[1];\n'
            '944 watch_denials.h:17: if (spec & KEEP_ARG2)\n'
            '960 watch_denials.h:18: key->values[2] = arguments[2];\n'
            '984 watch_denials.h:113: struct denied_count *known = bpf_map_lookup_elem(&denied, key);\n'
            '1008 watch_denials.h:115: if (!known) {\n'
            '1024 watch_denials.h:116: struct denied_count first = {};\n'
            '1088 watch_denials.h:118: bpf_map_update_elem(&denied, key, &first, BPF_NOEXIST);\n'
            '1128 watch_denials.h:119: known = bpf_map_lookup_elem(&denied, key);\n'
            '1168 watch_denials.h:121: if (!known) {\n'
            '1176 watch_denials.h:122: atomic_add(&watcher.uncounted, 1);\n'
            '1200 watch_denials.h:123: return 0;\n'
            '1216 watch_denials.h:125: atomic_add(&known->count, 1);\n'
            '1224 watch_denials.h:126: known->last = now;\n'
            '1232 watch_denials.h:127: if (known->epoch == watcher.epoch + 1)\n'
            '1280 watch_denials.h:129: known->epoch = watcher.epoch + 1;\n'
            '1288 watch_denials.h:150: copy_filters(task, key.started, key.tgid);\n'
            '1344 watch_denials.h:151: send_denial(task, regs, &key, now);\n'
            '1376 watch_denials.h:152: }\n'
        ),
    ),
    'copy_filters': (
        (
            'bf16000000000000b401000000000000631aecff00000000633ae8ff00000000'
            '7b2ad8ff00000000b401000001000000631ad4ff00000000b708000000000000'
            '7b8af8ff00000000b707000088000000bf630000000000000f73000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a1f8ff0000000055011000000000007b8af8ff000000007b8af0ff00000000'
            'b7010000380000000f16000000000000bfa100000000000007010000f0ffffff'
            'b402000008000000bf63000000000000850000007100000079a3f0ff00000000'
            '0f73000000000000bfa100000000000007010000f8ffffffb402000008000000'
            '850000007100000079a1f8ff000000007b1ae0ff000000001501210000000000'
            'b406000000000000b707000000000000b708000000000000bfa2000000000000'
            '07020000d8ffffff180100000000000000000000000000008500000001000000'
            '5500180000000000bfa100000000000007010000d8ffffff8510000058010000'
            '5600140000000000bfa200000000000007020000d8ffffffbfa3000000000000'
            '07030000d4ffffff18010000000000000000000000000000b704000000000000'
            '85000000020000007b7af8ff0000000079a3e0ff000000000f83000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a1f8ff000000007b1ae0ff00000000260602000e0000000406000001000000'
            '5501e2ff000000009500000000000000'
        ),
        ((376, 'copy_filter'),),
        ((328, 'copied', None), (424, 'copied', None)),
        (
            (72, 'task_struct.seccomp.filter', 0, False),
            (160, 'task_struct.group_leader', 0, False),
            (304, 'seccomp_filter.prev', 0, False),
        ),
        (
            '0 watch_filters.h:59: static __noinline void copy_filters(struct task_struct *task, __u64 started, __u32 tgid)\n'
            '16 watch_filters.h:61: struct copied_key key = { .started = started, .tgid = tgid };\n'
            '48 watch_filters.h:62: __u32 one = 1;\n'
            '64 watch_filters.h:54: __u64 filter = (__u64)READ(task->seccomp.filter);\n'
            '136 watch_filters.h:56: return filter ? filter : (__u64)READ(READ(task->group_leader)->seccomp.filter);\n'
            '272 watch_filters.h:64: key.filter = newest_filter(task);\n'
            '280 watch_filters.h:65: for (int i = 0; i < LAYERS && key.filter; i++) {\n'
            '328 watch_filters.h:66: if (bpf_map_lookup_elem(&copied, &key))\n'
            '376 watch_filters.h:68: if (copy_filter(&key))\n'
            '424 watch_filters.h:70: bpf_map_update_elem(&copied, &key, &one, BPF_ANY);\n'
            '456 watch_filters.h:71: key.filter = (__u64)READ(((struct seccomp_filter *)key.filter)->prev);\n'
            '528 watch_filters.h:65: for (int i = 0; i < LAYERS && key.filter; i++) {\n'
            '552 watch_filters.h:73: }\n'
        ),
    ),
    'send_denial': (
        (
            '7b4ae8ff00000000bf37000000000000bf28000000000000bf19000000000000'
            '18010000000000000000000000000000b702000000020000b703000000000000'
            '8500000083000000bf06000000000000b7010000000000007b1af8ff00000000'
            'b701000040000000bf930000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb40200000800000085000000710000005506050000000000'
            'b70100000100000018020000000000000000000000000000db12100000000000'
            '050028010000000079a1f8ff000000007b1ae0ff000000007971300000000000'
            '7b1630000000000079712800000000007b162800000000007971200000000000'
            '7b1620000000000079711800000000007b161800000000007971100000000000'
            '7b1610000000000079710800000000007b160800000000007971000000000000'
            '7b1600000000000079a1e8ff000000007b163800000000007981f80000000000'
            '7b1640000000000079810001000000007b164800000000007981080000000000'
            '7b1650000000000079811000000000007b165800000000007981180000000000'
            '7b1660000000000079812000000000007b166800000000007981280000000000'
            '7b16700000000000b7010000000000007b1af8ff00000000b707000088000000'
            'bf930000000000000f73000000000000bfa100000000000007010000f8ffffff'
            'b402000008000000850000007100000079a1f8ff000000005501110000000000'
            'b7010000000000007b1af8ff000000007b1af0ff00000000b701000038000000'
            'bf930000000000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000008000000850000007100000079a3f0ff000000000f73000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a1f8ff000000007b1678000000000061918400000000006316a40000000000'
            '85000000500000007b06800000000000b7070000000000007b7af8ff00000000'
            'b7010000400000007b9ae8ff000000000f19000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf930000000000008500000071000000'
            '79a9f8ff00000000b401000000000000631af8ff00000000b701000000000000'
            'bf930000000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000004000000850000007100000061a2f8ff000000001801000000000000'
            '00000000000000006111180000000000b408000000000000ae12280000000000'
            'b7020000080000000f29000000000000540100001f000000b707000010000000'
            '2f170000000000000f97000000000000b409000000000000639af8ff00000000'
            'b701000000000000bf730000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000004000000850000007100000061a8f8ff00000000'
            'b7010000000000007b1af8ff00000000b7010000080000000f17000000000000'
            'bfa100000000000007010000f8ffffffb402000008000000bf73000000000000'
            '8500000071000000b70100000800000079a3f8ff000000000f13000000000000'
            '639af8ff00000000bfa100000000000007010000f8ffffffb402000004000000'
            '85000000710000001801000000000000000000000000000061111c0000000000'
            '61a2f8ff000000001e12010000000000b408000000000000b707000000000000'
            '6386900000000000b401000000000000631af0ff00000000b409000000000000'
            '7b7af8ff00000000b70100004800000079a8e8ff00000000bf83000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000008000000'
            '8500000071000000b70100000000000079a3f8ff000000000f13000000000000'
            'bfa100000000000007010000f0ffffffb4020000040000008500000071000000'
            '61a1f0ff000000006316940000000000639af8ff0000000079a9e0ff00000000'
            'bf93000000000000b7010000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000040000008500000071000000b701000008000000'
            '0f19000000000000b70700001000000061a1f8ff00000000540100001f000000'
            '2f170000000000000f97000000000000b409000000000000639af8ff00000000'
            'b701000000000000bf730000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000040000008500000071000000b701000008000000'
            '0f17000000000000b7010000000000007b1af8ff00000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf730000000000008500000071000000'
            '79a7f8ff00000000639af8ff00000000b701000008000000bf73000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000004000000'
            '850000007100000061a1f8ff000000006316980000000000b701000000000000'
            '0f17000000000000b7010000000000007b1af8ff000000007b1af0ff00000000'
            'bfa100000000000007010000f0ffffffb402000008000000bf73000000000000'
            '8500000071000000b70100002800000079a3f0ff000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a1f8ff000000007b16880000000000bf61000000000000bf82000000000000'
            '85100000c9000000b701000050000000bf830000000000000f13000000000000'
            'bf6100000000000007010000b0000000b4020000100000008500000071000000'
            'b7010000900000000f18000000000000b7010000000000007b1af8ff00000000'
            '7b1af0ff00000000b707000000000000bfa100000000000007010000f0ffffff'
            'b402000008000000bf830000000000008500000071000000b701000010000000'
            '79a3f0ff000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000008000000850000007100000079a3f8ff000000007b7af8ff00000000'
            '7b7af0ff00000000b7010000000000000f13000000000000bfa1000000000000'
            '07010000f0ffffffb4020000080000008500000071000000b701000000000000'
            '79a3f0ff000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000008000000850000007100000079a3f8ff000000007396c00000000000'
            'bf6100000000000007010000c0000000b4020000400000008500000073000000'
            'b40100000000000073160001000000006316a800000000006161100000000000'
            '5401000001000000560114000000000061610c000000000026011200ff010000'
            '180200000000000000000000000000000f120000000000007122000000000000'
            '16020d0000000000bf630000000000000703000048000000bf61000000000000'
            '070100000001000004020000ffffffff54020000030000006702000003000000'
            '0f230000000000007933000000000000b4020000000100008500000072000000'
            'c5000100010000006306a80000000000bf61000000000000b702000000000000'
            '85000000840000009500000000000000'
        ),
        ((1952, 'find_origin'),),
        (
            (32, 'denials', None),
            (168, '.bss', 0),
            (888, '.bss', 0),
            (1192, '.bss', 0),
            (2400, '.rodata', 516),
        ),
        (
            (96, 'task_struct.thread_pid', 0, False),
            (344, 'pt_regs.pc', 0, False),
            (360, 'pt_regs.orig_x0', 0, False),
            (376, 'pt_regs.regs', 8, False),
            (392, 'pt_regs.regs', 16, False),
            (408, 'pt_regs.regs', 24, False),
            (424, 'pt_regs.regs', 32, False),
            (440, 'pt_regs.regs', 40, False),
            (472, 'task_struct.seccomp.filter', 0, False),
            (568, 'task_struct.group_leader', 0, False),
            (688, 'task_struct.seccomp.filter_count.counter', 0, False),
            (736, 'task_struct.thread_pid', 0, False),
            (824, 'pid.level', 0, False),
            (928, 'pid.numbers', 0, False),
            (952, 'upid', 0, False),
            (992, 'upid.nr', 0, False),
            (1072, 'upid.ns', 0, False),
            (1128, 'pid_namespace.ns.inum', 0, False),
            (1288, 'task_struct.cred', 0, False),
            (1352, 'cred.uid.val', 0, False),
            (1448, 'pid.level', 0, False),
            (1496, 'pid.numbers', 0, False),
            (1512, 'upid', 0, False),
            (1568, 'upid.nr', 0, False),
            (1624, 'upid.ns', 0, False),
            (1712, 'pid_namespace.ns.inum', 0, False),
            (1784, 'pid_namespace.child_reaper', 0, False),
            (1864, 'task_struct.start_boottime', 0, False),
            (1960, 'task_struct.comm', 0, False),
            (2016, 'task_struct.mm', 0, False),
            (2104, 'mm_struct.exe_file', 0, False),
            (2184, 'file.f_path.dentry', 0, False),
            (2232, 'dentry.d_name.name', 0, False),
        ),
        (
            '0 watch_denials.h:80: static __noinline void send_denial(struct task_struct *task, struct pt_regs *regs, struct denied_key *key,\n'
            '32 watch_denials.h:83: struct denial *event = bpf_ringbuf_reserve(&denials, sizeof(*event), 0);\n'
            '80 watch_denials.h:84: struct pid *pid = READ(task->thread_pid);\n'
            '152 watch_denials.h:87: if (!event) {\n'
            '168 watch_denials.h:88: atomic_add(&watcher.unsent, 1);\n'
            '192 watch_denials.h:89: return;\n'
            '208 watch_denials.h:91: event->key = *key;\n'
            '328 watch_denials.h:92: event->time = now;\n'
            '344 registers.h:83: return regs->pc;\n'
            '352 watch_denials.h:93: event->pointer = instruction_pointer(regs);\n'
            '360 registers.h:108: arguments[0] = regs->orig_x0;\n'
            '376 registers.h:109: arguments[1] = regs->regs[1];\n'
            '392 registers.h:110: arguments[2] = regs->regs[2];\n'
            '408 registers.h:111: arguments[3] = regs->regs[3];\n'
            '424 registers.h:112: arguments[4] = regs->regs[4];\n'
            '440 registers.h:113: arguments[5] = regs->regs[5];\n'
            '456 watch_filters.h:54: __u64 filter = (__u64)READ(task->seccomp.filter);\n'
            '536 watch_filters.h:56: return filter ? filter : (__u64)READ(READ(task->group_leader)->seccomp.filter);\n'
            '680 watch_denials.h:95: event->filter = newest_filter(task);\n'
            '688 watch_denials.h:96: event->filters = task->seccomp.filter_count.counter;\n'
            '704 watch_denials.h:97: event->cgroup = bpf_get_current_cgroup_id();\n'
            '728 watch_denials.h:24: struct pid *pid = READ(task->thread_pid);\n'
            '816 watch_denials.h:27: if (READ(pid->level) < watcher.level)\n'
            '944 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '984 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '1056 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '1152 watch_denials.h:30: return READ(seen.ns->ns.inum) == watcher.pids ? seen.nr : 0;\n'
            '1248 watch_denials.h:98: event->tid = read_visible(task);\n'
            '1264 watch_denials.h:99: event->uid = READ(READ(task->cred)->uid.val);\n'
            '1424 watch_denials.h:100: innermost = read_upid(pid, READ(pid->level));\n'
            '1528 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '1560 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '1640 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '1704 watch_denials.h:101: event->pids = READ(innermost.ns->ns.inum);\n'
            '1808 watch_denials.h:102: event->reaper = READ(READ(innermost.ns->child_reaper)->start_boottime);\n'
            '1936 watch_denials.h:103: find_origin(event, task);\n'
            '1984 watch_denials.h:104: bpf_probe_read_kernel(&event->comm, sizeof(event->comm), &task->comm);\n'
            '2040 watch_denials.h:55: struct file *file = READ(READ(task->mm)->exe_file);\n'
            '2168 watch_denials.h:56: const unsigned char *name = READ(READ(file->f_path.dentry)->d_name.name);\n'
            '2296 watch_denials.h:58: event->program[0] = 0;\n'
            '2320 watch_denials.h:59: bpf_probe_read_kernel_str(event->program, sizeof(event->program), name);\n'
            '2344 watch_denials.h:68: event->text[0] = 0;\n'
            '2352 watch_denials.h:67: event->length = 0;\n'
            '2360 watch_denials.h:69: if (!(event->key.mode & DENIAL_COMPAT) && event->key.number < NUMBERS)\n'
            '2400 watch_denials.h:70: index = path_arguments[event->key.number & (NUMBERS - 1)];\n'
            '2432 watch_denials.h:71: if (!index)\n'
            '2472 watch_denials.h:75: (void *)event->arguments[(index - 1) & 3]);\n'
            '2512 watch_denials.h:74: length = bpf_probe_read_user_str(event->text, sizeof(event->text),\n'
            '2528 watch_denials.h:76: if (length > 0)\n'
            '2536 watch_denials.h:77: event->length = length;\n'
            '2544 watch_denials.h:107: bpf_ringbuf_submit(event, 0); /* wakes the watcher, if it waits */\n'
            '2568 watch_denials.h:108: }\n'
        ),
    ),
    'copy_filter': (
        (
            'bf170000000000007973080000000000b7090000000000007b9af8ff00000000'
            '7b9af0ff00000000b7010000080000007b3ae8ff000000000f13000000000000'
            'bfa100000000000007010000f0ffffffb4020000080000008500000071000000'
            'b70100000000000079a3f0ff000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000080000008500000071000000b406000000000000'
            '79a8f8ff0000000015081a00000000006b6af8ff00000000b701000000000000'
            'bf830000000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000002000000850000007100000069a9f8ff00000000b701000000000000'
            '7b1af8ff00000000b7010000080000000f18000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf830000000000008500000071000000'
            '54090000ffff0000b40100000000000026090100ff0f0000bc91000000000000'
            '79a9f8ff000000001509010000000000bc1600000000000026062200ff010000'
            '18010000000000000000000000000000b702000020100000b703000000000000'
            '8500000083000000bf08000000000000b4000000ffffffff1508430000000000'
            'bc620000000000006402000003000000b7010000ff0f00005f12000000000000'
            'bf810000000000000701000020000000bf930000000000008500000071000000'
            'bf0900000000000079710000000000007b180000000000006171100000000000'
            '631808000000000079710800000000007b18100000000000b701000000000000'
            '7b1af8ff00000000b70100000000000079a3e8ff000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '1509230000000000050021000000000018010000000000000000000000000000'
            'b702000020800000b7030000000000008500000083000000bf08000000000000'
            'b4000000ffffffff1508210000000000bc620000000000006402000003000000'
            'b7010000ff7f00005f12000000000000bf810000000000000701000020000000'
            'bf930000000000008500000071000000bf090000000000007971000000000000'
            '7b18000000000000617110000000000063180800000000007971080000000000'
            '7b18100000000000b7010000000000007b1af8ff00000000b701000000000000'
            '79a3e8ff000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b40200000800000085000000710000001509010000000000b406000000000000'
            '79a1f8ff0000000063680c00000000007b18180000000000bf81000000000000'
            'b7020000010000008500000084000000b4000000000000009500000000000000'
        ),
        (),
        ((384, 'copies', None), (656, 'copies', None)),
        (
            (40, 'seccomp_filter.prog', 0, False),
            (96, 'bpf_prog.orig_prog', 0, False),
            (184, 'sock_fprog_kern.len', 0, False),
            (264, 'sock_fprog_kern.filter', 0, False),
            (584, 'seccomp_filter.prev', 0, False),
            (856, 'seccomp_filter.prev', 0, False),
        ),
        (
            '0 watch_filters.h:36: static __noinline int copy_filter(struct copied_key *key)\n'
            '8 watch_filters.h:38: struct seccomp_filter *filter = (void *)key->filter;\n'
            '24 watch_filters.h:39: struct sock_fprog_kern *original = READ(READ(filter->prog)->orig_prog);\n'
            '168 watch_filters.h:40: __u32 length = original ? READ(original->len) : 0;\n'
            '256 watch_filters.h:41: struct sock_filter *code = original ? READ(original->filter) : 0;\n'
            '320 watch_filters.h:40: __u32 length = original ? READ(original->len) : 0;\n'
            '336 watch_filters.h:43: if (!code || length >= LARGE)\n'
            '352 watch_filters.h:41: struct sock_filter *code = original ? READ(original->filter) : 0;\n'
            '360 watch_filters.h:43: if (!code || length >= LARGE)\n'
            '376 watch_filters.h:45: if (length < SMALL)\n'
            '384 watch_filters.h:25: struct filter_copy *copy = bpf_ringbuf_reserve(&copies, sizeof(*copy) + room * 8, 0);\n'
            '440 watch_filters.h:27: if (!copy)\n'
            '448 watch_filters.h:29: if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))\n'
            '472 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '480 watch_filters.h:29: if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))\n'
            '520 watch_filters.h:14: copy->started = key->started;\n'
            '536 watch_filters.h:15: copy->tgid = key->tgid;\n'
            '552 watch_filters.h:16: copy->filter = key->filter;\n'
            '568 watch_filters.h:17: copy->previous = (__u64)READ(filter->prev);\n'
            '640 watch_filters.h:29: if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))\n'
            '656 watch_filters.h:25: struct filter_copy *copy = bpf_ringbuf_reserve(&copies, sizeof(*copy) + room * 8, 0);\n'
            '712 watch_filters.h:27: if (!copy)\n'
            '720 watch_filters.h:29: if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))\n'
            '744 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '752 watch_filters.h:29: if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))\n'
            '792 watch_filters.h:14: copy->started = key->started;\n'
            '808 watch_filters.h:15: copy->tgid = key->tgid;\n'
            '824 watch_filters.h:16: copy->filter = key->filter;\n'
            '840 watch_filters.h:17: copy->previous = (__u64)READ(filter->prev);\n'
            '912 watch_filters.h:29: if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))\n'
            '928 watch_filters.h:17: copy->previous = (__u64)READ(filter->prev);\n'
            '936 watch_filters.h:18: copy->length = length;\n'
            '944 watch_filters.h:17: copy->previous = (__u64)READ(filter->prev);\n'
            '952 watch_filters.h:32: bpf_ringbuf_submit(copy, BPF_RB_NO_WAKEUP);\n'
            '984 watch_filters.h:48: }\n'
        ),
    ),
    'find_origin': (
        (
            'bf27000000000000bf18000000000000b40100000000000063189c0000000000'
            '6318a000000000001507130000000000b702000000000000b409000000000000'
            '7b8ae8ff00000000050010000000000063689c0000000000b701000000000000'
            '7b1af8ff00000000b7010000300000000f17000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf730000000000008500000071000000'
            'b702000000000000260903001e000000040900000100000079a7f8ff00000000'
            '55070100000000009500000000000000bf73000000000000b701000038000000'
            '0f130000000000007b2af8ff000000007b2af0ff00000000bfa1000000000000'
            '07010000f0ffffffb402000008000000850000007100000079a3f0ff00000000'
            'b7010000400000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000008000000850000007100000079a6f8ff00000000b401000000000000'
            '631af8ff00000000bf63000000000000b7010000000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000040000008500000071000000'
            'b7010000080000000f1600000000000061a1f8ff00000000540100001f000000'
            'b7080000100000002f180000000000000f68000000000000b401000000000000'
            '631af8ff00000000bf83000000000000b7010000000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000040000008500000071000000'
            '61a6f8ff00000000b7010000000000007b1af8ff00000000b701000008000000'
            '0f18000000000000bfa100000000000007010000f8ffffffb402000008000000'
            'bf8300000000000079a8e8ff00000000850000007100000079a3f8ff00000000'
            'b401000000000000631af8ff00000000b7010000080000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000040000008500000071000000'
            '61a1f8ff0000000061829800000000001e21afff00000000b701000038000000'
            '0f17000000000000b7060000000000007b6af8ff00000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf730000000000008500000071000000'
            '79a3f8ff000000007b6af8ff00000000b7010000400000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a8f8ff00000000b409000000000000639af8ff00000000b701000000000000'
            'bf830000000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000004000000850000007100000061a2f8ff000000001801000000000000'
            '00000000000000006111180000000000ae12260000000000b702000008000000'
            '0f28000000000000540100001f000000b7070000100000002f17000000000000'
            '0f87000000000000b408000000000000638af8ff00000000b701000000000000'
            'bf730000000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b402000004000000850000007100000061a9f8ff000000007b6af8ff00000000'
            'b7010000080000000f17000000000000bfa100000000000007010000f8ffffff'
            'b402000008000000bf730000000000008500000071000000b701000008000000'
            '79a3f8ff000000000f13000000000000638af8ff00000000bfa1000000000000'
            '07010000f8ffffffb40200000400000085000000710000001801000000000000'
            '000000000000000061111c000000000061a2f8ff000000001e12010000000000'
            'b40900000000000079a1e8ff000000006391a00000000000050075ff00000000'
        ),
        (),
        ((952, '.bss', 0), (1240, '.bss', 0)),
        (
            (104, 'task_struct.real_parent', 0, False),
            (216, 'task_struct.group_leader', 0, False),
            (288, 'task_struct.thread_pid', 0, False),
            (368, 'pid.level', 0, False),
            (416, 'pid.numbers', 0, False),
            (448, 'upid', 0, False),
            (496, 'upid.nr', 0, False),
            (568, 'upid.ns', 0, False),
            (656, 'pid_namespace.ns.inum', 0, False),
            (728, 'task_struct.group_leader', 0, False),
            (816, 'task_struct.thread_pid', 0, False),
            (888, 'pid.level', 0, False),
            (984, 'pid.numbers', 0, False),
            (1008, 'upid', 0, False),
            (1048, 'upid.nr', 0, False),
            (1120, 'upid.ns', 0, False),
            (1176, 'pid_namespace.ns.inum', 0, False),
        ),
        (
            '0 watch_denials.h:35: static __noinline void find_origin(struct denial *event, struct task_struct *task)\n'
            '24 watch_denials.h:39: event->origin = event->outside = 0;\n'
            '40 watch_denials.h:40: for (int i = 0; i < MAX_ANCESTORS && found; i++) {\n'
            '80 watch_denials.h:48: event->origin = innermost.nr;\n'
            '88 watch_denials.h:49: found = READ(found->real_parent);\n'
            '168 watch_denials.h:40: for (int i = 0; i < MAX_ANCESTORS && found; i++) {\n'
            '200 watch_denials.h:51: }\n'
            '232 watch_denials.h:41: struct pid *pid = READ(READ(found->group_leader)->thread_pid);\n'
            '352 watch_denials.h:42: struct pid_number innermost = read_upid(pid, READ(pid->level));\n'
            '440 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '472 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '552 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '640 watch_denials.h:44: if (READ(innermost.ns->ns.inum) != event->pids) {\n'
            '752 watch_denials.h:45: event->outside = read_visible(READ(found->group_leader));\n'
            '808 watch_denials.h:24: struct pid *pid = READ(task->thread_pid);\n'
            '880 watch_denials.h:27: if (READ(pid->level) < watcher.level)\n'
            '1000 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '1040 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '1112 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '1200 watch_denials.h:30: return READ(seen.ns->ns.inum) == watcher.pids ? seen.nr : 0;\n'
            '1288 watch_denials.h:45: event->outside = read_visible(READ(found->group_leader));\n'
        ),
    ),
    'find_watcher': (
        (
            '850000009e000000b7010000400000000f10000000000000b701000000000000'
            '7b1af8ff00000000bfa100000000000007010000f8ffffffb402000008000000'
            'bf03000000000000850000007100000079a7f8ff00000000b409000000000000'
            '639af8ff00000000b701000000000000bf730000000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000040000008500000071000000'
            'b7010000080000000f17000000000000b7060000100000001808000000000000'
            '000000000000000061a1f8ff000000006318180000000000540100001f000000'
            '2f160000000000000f76000000000000639af4ff00000000639af8ff00000000'
            'b701000000000000bf630000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000040000008500000071000000b701000000000000'
            '7b1af8ff00000000b7010000080000000f16000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf630000000000008500000071000000'
            'b70100000800000079a3f8ff000000000f13000000000000bfa1000000000000'
            '07010000f4ffffffb402000004000000850000007100000061a1f4ff00000000'
            '63181c0000000000b4000000000000009500000000000000'
        ),
        (),
        ((184, '.bss', 0),),
        (
            (8, 'task_struct.thread_pid', 0, False),
            (104, 'pid.level', 0, False),
            (160, 'pid.numbers', 0, False),
            (176, 'upid', 0, False),
            (256, 'upid.nr', 0, False),
            (328, 'upid.ns', 0, False),
            (384, 'pid_namespace.ns.inum', 0, False),
        ),
        (
            '0 watch.bpf.c:14: struct task_struct *task = bpf_get_current_task_btf();\n'
            '32 watch.bpf.c:15: struct pid *pid = READ(task->thread_pid);\n'
            '96 watch.bpf.c:17: watcher.level = READ(pid->level);\n'
            '216 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '240 watch.bpf.c:18: watcher.pids = READ(read_upid(pid, watcher.level).ns->ns.inum);\n'
            '248 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '312 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '424 watch.bpf.c:18: watcher.pids = READ(read_upid(pid, watcher.level).ns->ns.inum);\n'
            '456 watch.bpf.c:19: return 0;\n'
        ),
    ),
    'end_check': (
        (
            'b7020000000000007b2af8ff00000000bfa200000000000007020000f8ffffff'
            '85000000b800000079a1f8ff0000000056013200ffffffff850000009e000000'
            'bf06000000000000616110000000000016010300000000007961780000000000'
            '570100000001000055012b000000000061618000000000005601090003000000'
            '18010000000000000000000000000000bf62000000000000b703000000000000'
            'b704000001000000850000009c0000001500020000000000b401000001000000'
            '6310040000000000bf6100000000000085000000af0000007907000000000000'
            'bf6100000000000085000000af00000061020801000000006161800000000000'
            '5601040003000000bf61000000000000b403000003000000b404000000000000'
            '0500120000000000796178000000000057010000000000401501040000000000'
            'bf61000000000000b403000002000000b40400000000000005000b0000000000'
            '7961000000000000570100000000400015010200000000006707000020000000'
            'c707000020000000bc7400000000000084040000000000002507010000f0ffff'
            'b404000000000000bf61000000000000b403000001000000b405000000000000'
            '85100000ffffffffb4000000000000009500000000000000'
        ),
        ((448, 'note_denial'),),
        ((128, 'states', None),),
        (
            (72, 'task_struct.ptrace', 0, False),
            (88, 'task_struct.pending.signal.sig', 0, False),
            (112, 'task_struct.seccomp.mode', 0, False),
            (216, 'pt_regs.regs', 0, False),
            (240, 'pt_regs.syscallno', 0, False),
            (248, 'task_struct.seccomp.mode', 0, False),
            (296, 'task_struct.pending.signal.sig', 0, False),
            (352, 'task_struct.thread_info.flags', 0, False),
        ),
        (
            '0 watch.bpf.c:39: int end_check(__u64 *ctx)\n'
            '8 watch.bpf.c:42: __u64 result = 0;\n'
            '32 watch.bpf.c:44: bpf_get_func_ret(ctx, &result);\n'
            '40 watch.bpf.c:45: if ((__s32)result != -1)\n'
            '56 watch.bpf.c:47: task = bpf_get_current_task_btf();\n'
            '72 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '96 watch.bpf.c:48: if (is_killed_tracee(task))\n'
            '112 watch.bpf.c:31: if (task->seccomp.mode != SECCOMP_MODE_DEAD)\n'
            '128 watch.bpf.c:24: return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '176 watch.bpf.c:34: if (state)\n'
            '192 watch.bpf.c:35: state->killed = 1;\n'
            '200 watch.bpf.c:51: note_answer(task, call_result(bpf_task_pt_regs(task)), 0);\n'
            '216 registers.h:98: return regs->regs[0];\n'
            '224 watch_denials.h:164: __u32 number = call_number(bpf_task_pt_regs(task));\n'
            '240 registers.h:78: return regs->syscallno;\n'
            '248 watch_denials.h:166: if (task->seccomp.mode == SECCOMP_MODE_DEAD)\n'
            '264 watch_denials.h:167: note_denial(task, number, ANSWER_KILL, 0, mode);\n'
            '296 watch_denials.h:168: else if (task->pending.signal.sig[0] & SIGSYS_BIT)\n'
            '320 watch_denials.h:169: note_denial(task, number, ANSWER_TRAP, 0, mode);\n'
            '352 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '360 watch_denials.h:156: __s64 value = compat ? (__s32)result : (__s64)result;\n'
            '392 watch_denials.h:158: return value < 0 && value >= -MAX_ERRNO ? -value : 0;\n'
            '424 watch_denials.h:171: note_denial(task, number, ANSWER_RETURNED, result_errno(result, compat_mode(task)), mode);\n'
            '456 watch.bpf.c:53: }\n'
        ),
    ),
    'enter_call': (
        (
            '850000009e0000006101800000000000c6010900020000001801000000000000'
            '0000000000000000bf02000000000000b703000000000000b704000001000000'
            '850000009c0000001500020000000000b4010000010000006310000000000000'
            'b4000000000000009500000000000000'
        ),
        (),
        ((24, 'states', None),),
        ((8, 'task_struct.seccomp.mode', 0, False),),
        (
            '0 watch.bpf.c:58: struct task_struct *task = bpf_get_current_task_btf();\n'
            '8 watch.bpf.c:61: if (task->seccomp.mode < SECCOMP_MODE_FILTER)\n'
            '24 watch.bpf.c:24: return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '72 watch.bpf.c:64: if (state)\n'
            '88 watch.bpf.c:65: state->position = INSIDE;\n'
            '96 watch.bpf.c:67: }\n'
        ),
    ),
    'leave_call': (
        (
            'bf18000000000000850000009e000000bf090000000000006191800000000000'
            'c601500002000000bf9600000000000018010000000000000000000000000000'
            'bf62000000000000b703000000000000b704000001000000850000009c000000'
            '15004800000000006101000000000000b4020000020000006320000000000000'
            '1601440001000000616210000000000016020300000000007962780000000000'
            '570200000001000055023f00000000001601030000000000b407000000000000'
            'b7010000800000000500110000000000b407000002000000b701000080000000'
            '7962780000000000570200000000004055020c00000000006162800000000000'
            '16020a0003000000796300000000000057030000000040007982080000000000'
            '15030200000000006702000020000000c702000020000000a5022d0001f0ffff'
            '6702000020000000770200002000000015022a00000000000f19000000000000'
            '6191000000000000560109000300000018010000000000000000000000000000'
            'bf62000000000000b703000000000000b704000001000000850000009c000000'
            '1500020000000000b40100000100000063100400000000007988080000000000'
            'bf6100000000000085000000af00000061020801000000006161800000000000'
            '5601040003000000bf61000000000000b403000003000000b404000000000000'
            '0500120000000000796178000000000057010000000000401501040000000000'
            'bf61000000000000b403000002000000b40400000000000005000b0000000000'
            '7961000000000000570100000000400015010200000000006708000020000000'
            'c708000020000000bc8400000000000084040000000000002508010000f0ffff'
            'b404000000000000bf61000000000000b403000001000000bc75000000000000'
            '85100000ffffffffb4000000000000009500000000000000'
        ),
        ((672, 'note_denial'),),
        ((48, 'states', None), (368, 'states', None)),
        (
            (24, 'task_struct.seccomp.mode', 0, False),
            (136, 'task_struct.ptrace', 0, False),
            (152, 'task_struct.pending.signal.sig', 0, False),
            (192, 'task_struct.seccomp.mode', 0, False),
            (216, 'task_struct.seccomp.mode', 0, False),
            (224, 'task_struct.pending.signal.sig', 0, False),
            (248, 'task_struct.seccomp.mode', 0, False),
            (264, 'task_struct.thread_info.flags', 0, False),
            (464, 'pt_regs.syscallno', 0, False),
            (472, 'task_struct.seccomp.mode', 0, False),
            (520, 'task_struct.pending.signal.sig', 0, False),
            (576, 'task_struct.thread_info.flags', 0, False),
        ),
        (
            '0 watch.bpf.c:73: int leave_call(__u64 *ctx)\n'
            '8 watch.bpf.c:75: struct task_struct *task = bpf_get_current_task_btf();\n'
            '24 watch.bpf.c:79: if (task->seccomp.mode < SECCOMP_MODE_FILTER)\n'
            '48 watch.bpf.c:24: return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '96 watch.bpf.c:82: if (!state)\n'
            '104 watch.bpf.c:84: before = state->position;\n'
            '120 watch.bpf.c:85: state->position = OUTSIDE;\n'
            '128 watch.bpf.c:86: if (before == INSIDE || is_killed_tracee(task))\n'
            '136 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '160 watch.bpf.c:86: if (before == INSIDE || is_killed_tracee(task))\n'
            '176 watch.bpf.c:88: if (before == NOT_SEEN && !(task->pending.signal.sig[0] & SIGSYS_BIT) &&\n'
            '248 watch.bpf.c:89: task->seccomp.mode != SECCOMP_MODE_DEAD && !result_errno(ctx[1], compat_mode(task)))\n'
            '264 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '272 watch_denials.h:156: __s64 value = compat ? (__s32)result : (__s64)result;\n'
            '280 watch.bpf.c:89: task->seccomp.mode != SECCOMP_MODE_DEAD && !result_errno(ctx[1], compat_mode(task)))\n'
            '288 watch_denials.h:156: __s64 value = compat ? (__s32)result : (__s64)result;\n'
            '312 watch.bpf.c:89: task->seccomp.mode != SECCOMP_MODE_DEAD && !result_errno(ctx[1], compat_mode(task)))\n'
            '352 watch.bpf.c:31: if (task->seccomp.mode != SECCOMP_MODE_DEAD)\n'
            '368 watch.bpf.c:24: return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '416 watch.bpf.c:34: if (state)\n'
            '432 watch.bpf.c:35: state->killed = 1;\n'
            '440 watch.bpf.c:92: note_answer(task, ctx[1], before == NOT_SEEN ? DENIAL_UNSURE : 0);\n'
            '448 watch_denials.h:164: __u32 number = call_number(bpf_task_pt_regs(task));\n'
            '464 registers.h:78: return regs->syscallno;\n'
            '472 watch_denials.h:166: if (task->seccomp.mode == SECCOMP_MODE_DEAD)\n'
            '488 watch_denials.h:167: note_denial(task, number, ANSWER_KILL, 0, mode);\n'
            '520 watch_denials.h:168: else if (task->pending.signal.sig[0] & SIGSYS_BIT)\n'
            '544 watch_denials.h:169: note_denial(task, number, ANSWER_TRAP, 0, mode);\n'
            '576 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '584 watch_denials.h:156: __s64 value = compat ? (__s32)result : (__s64)result;\n'
            '616 watch_denials.h:158: return value < 0 && value >= -MAX_ERRNO ? -value : 0;\n'
            '648 watch_denials.h:171: note_denial(task, number, ANSWER_RETURNED, result_errno(result, compat_mode(task)), mode);\n'
            '680 watch.bpf.c:94: }\n'
        ),
    ),
    'end_thread': (
        (
            '850000009e000000bf0600000000000061618000000000005601110003000000'
            '18010000000000000000000000000000bf62000000000000b703000000000000'
            'b704000001000000850000009c00000015000200000000006101040000000000'
            '5601080000000000bf6100000000000085000000af0000006102080100000000'
            'bf61000000000000b403000003000000b404000000000000b405000000000000'
            '85100000ffffffffb4000000000000009500000000000000'
        ),
        ((160, 'note_denial'),),
        ((32, 'states', None),),
        ((16, 'task_struct.seccomp.mode', 0, False), (120, 'pt_regs.syscallno', 0, False)),
        (
            '0 watch.bpf.c:100: struct task_struct *task = bpf_get_current_task_btf();\n'
            '16 watch.bpf.c:103: if (task->seccomp.mode != SECCOMP_MODE_DEAD)\n'
            '32 watch.bpf.c:24: return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '80 watch.bpf.c:106: if (state && state->killed)\n'
            '104 watch.bpf.c:108: note_denial(task, call_number(bpf_task_pt_regs(task)), ANSWER_KILL, 0, 0);\n'
            '120 registers.h:78: return regs->syscallno;\n'
            '128 watch.bpf.c:108: note_denial(task, call_number(bpf_task_pt_regs(task)), ANSWER_KILL, 0, 0);\n'
            '168 watch.bpf.c:110: }\n'
        ),
    ),
    'send_signal': (
        (
            '7912000000000000550223001f0000007913080000000000b401000000000000'
            '631afcff00000000b7010000000000000f13000000000000bfa1000000000000'
            '07010000fcffffffb402000004000000850000007100000061a1fcff00000000'
            '5601180001000000850000009e000000bf060000000000006161800000000000'
            '560109000300000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000001000000850000009c0000001500020000000000'
            'b4010000010000006310040000000000bf6100000000000085000000af000000'
            '6161800000000000b4030000030000001601010003000000b403000002000000'
            '6102080100000000bf61000000000000b404000000000000b405000000000000'
            '85100000ffffffffb4000000000000009500000000000000'
        ),
        ((288, 'note_denial'),),
        ((136, 'states', None),),
        (
            (40, 'kernel_siginfo.si_code', 0, False),
            (120, 'task_struct.seccomp.mode', 0, False),
            (224, 'task_struct.seccomp.mode', 0, False),
            (256, 'pt_regs.syscallno', 0, False),
        ),
        (
            '0 watch.bpf.c:119: if (ctx[0] != SIGSYS || READ(info->si_code) != SYS_SECCOMP)\n'
            '16 watch.bpf.c:116: struct kernel_siginfo *info = (void *)ctx[1];\n'
            '32 watch.bpf.c:119: if (ctx[0] != SIGSYS || READ(info->si_code) != SYS_SECCOMP)\n'
            '104 watch.bpf.c:121: task = bpf_get_current_task_btf();\n'
            '120 watch.bpf.c:31: if (task->seccomp.mode != SECCOMP_MODE_DEAD)\n'
            '136 watch.bpf.c:24: return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '184 watch.bpf.c:34: if (state)\n'
            '200 watch.bpf.c:35: state->killed = 1;\n'
            '208 watch.bpf.c:123: note_denial(task, call_number(bpf_task_pt_regs(task)),\n'
            '224 watch.bpf.c:124: task->seccomp.mode == SECCOMP_MODE_DEAD ? ANSWER_KILL : ANSWER_TRAP, 0, 0);\n'
            '256 registers.h:78: return regs->syscallno;\n'
            '264 watch.bpf.c:123: note_denial(task, call_number(bpf_task_pt_regs(task)),\n'
            '296 watch.bpf.c:126: }\n'
        ),
    ),
    'log_call': (
        (
            '7912100000000000740200001000000066020600bf7f000016020c0000000000'
            '1602110003000000160201000500000005000d0000000000b407000005000000'
            '05000e000000000016020800c07f0000b407000004000000b406000001000000'
            '16020b00fc7f000056020600f07f0000b4070000060000000500070000000000'
            'b4070000080000000500050000000000b4070000070000000500030000000000'
            'b4070000090000000500010000000000b407000002000000b406000000000000'
            '1802000000000000000000000000000061220000000000007c72000000000000'
            '540200000100000016021800000000007b1af8ff00000000b409000000000000'
            '850000009e000000bf0800000000000056060c0000000000bf81000000000000'
            '85000000af000000798200000000000057020000000040007901000000000000'
            '15020200000000006701000020000000c701000020000000bc19000000000000'
            '84090000000000002501010000f0ffffb40900000000000079a1f8ff00000000'
            '7912000000000000bf81000000000000bc73000000000000bc94000000000000'
            'b40500000000000085100000ffffffffb4000000000000009500000000000000'
        ),
        ((424, 'note_denial'),),
        ((192, '.rodata', 0),),
        ((296, 'task_struct.thread_info.flags', 0, False), (312, 'pt_regs.regs', 0, False)),
        (
            '0 watch.bpf.c:152: enum denial_answer answer = name_action(ctx[2]);\n'
            '8 watch.bpf.c:130: switch (action >> 16) {\n'
            '192 watch.bpf.c:156: if (!(audited >> answer & 1))\n'
            '256 watch.bpf.c:158: task = bpf_get_current_task_btf();\n'
            '272 watch.bpf.c:159: if (answer != ANSWER_LOG)\n'
            '280 watch.bpf.c:160: error = result_errno(call_result(bpf_task_pt_regs(task)), compat_mode(task));\n'
            '296 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '304 watch_denials.h:156: __s64 value = compat ? (__s32)result : (__s64)result;\n'
            '312 registers.h:98: return regs->regs[0];\n'
            '320 watch_denials.h:156: __s64 value = compat ? (__s32)result : (__s64)result;\n'
            '344 watch_denials.h:158: return value < 0 && value >= -MAX_ERRNO ? -value : 0;\n'
            '376 watch.bpf.c:161: note_denial(task, ctx[0], answer, error, 0);\n'
            '432 watch.bpf.c:163: }\n'
        ),
    ),
}
