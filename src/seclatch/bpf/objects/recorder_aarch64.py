"""Compiled from native/bpf/recorder.bpf.c by `make bpf`; not to be edited."""

# fmt: off
# ruff: noqa: E501
SECTIONS = {
    'adopt_container': 'iter/task',
    'release_containers': 'iter/task',
    'adopt_daemons': 'iter/task',
    'find_denial_after_check': 'fexit/__secure_computing',
    'find_denial_at_exit': 'tp_btf/sys_exit',
    'observe_exit': 'tp_btf/sys_exit',
    'observe_killed_thread': 'tp_btf/sched_process_exit',
    'register_self': 'raw_tp',
    'follow_fork': 'tp_btf/sched_process_fork',
    'follow_exec': 'tp_btf/sched_process_exec',
    'follow_exit': 'tp_btf/sched_process_exit',
    'count_call': 'tp_btf/sys_enter',
    'count_entry': 'tp_btf/sys_enter',
}
MAPS = {
    'tasks': (29, 4, 36, 0, 1, ''),
    'slots': (2, 4, 4128, 4096, 1024, ''),
    'containers': (1, 4, 8, 4096, 1, ''),
    'events': (27, 0, 0, 8388608, 0, ''),
    'daemons': (1, 4, 4, 1024, 1, ''),
    'rare': (1, 16, 8, 65536, 1, ''),
    'call_logs': (2, 4, 1544, 4096, 1024, ''),
    'output_logs': (2, 4, 1096, 4096, 1024, ''),
    'failure_logs': (2, 4, 1032, 4096, 1024, ''),
    'sent': (1, 16, 8, 65536, 1, ''),
    'details': (27, 0, 0, 4194304, 0, ''),
    'free_slots': (22, 0, 4, 4096, 0, ''),
    'namespaces': (1, 4, 4, 8192, 1, ''),
    'arguments': (1, 16, 8, 65536, 1, ''),
    'words': (1, 72, 4, 4096, 1, ''),
    '.rodata': (2, 4, 1736, 1, 128, ''),
    '.data': (
        2,
        4,
        72,
        1,
        1024,
        (
            '0004000000000000000000000000000000000000000000000000000000000000'
            '0000000000000000000000000000000000040000000000000000000000000000'
            '0000000000000000'
        ),
    ),
    '.bss': (2, 4, 24, 1, 1024, ''),
}
VARIABLES = {
    'reported_errnos': ('.rodata', 1537, 134),
    'path_arguments': ('.rodata', 513, 512),
    'second_path_arguments': ('.rodata', 1025, 512),
    'watches_containers': ('.rodata', 512, 1),
    'argument_specs': ('.rodata', 0, 512),
    'segment_event_type': ('.rodata', 1672, 8),
    'member_event_type': ('.rodata', 1680, 8),
    'exec_event_type': ('.rodata', 1688, 8),
    'exit_event_type': ('.rodata', 1696, 8),
    'suspension_event_type': ('.rodata', 1704, 8),
    'denial_event_type': ('.rodata', 1712, 8),
    'write_event_type': ('.rodata', 1720, 8),
    'detail_event_type': ('.rodata', 1728, 8),
    'control': ('.data', 0, 72),
    'adoption': ('.bss', 0, 8),
    'lost_details': ('.bss', 16, 8),
    'words_given': ('.bss', 8, 4),
    'words_of_root': ('.bss', 12, 4),
}
FUNCTIONS = {
    'find_container': (
        (
            'bf13000000000000b7010000680000000f13000000000000b707000000000000'
            '7b7af8ff00000000bfa100000000000007010000f8ffffffb402000008000000'
            '850000007100000079a6f8ff00000000b401000000000000631af4ff00000000'
            '7b7af8ff00000000b701000010000000bf630000000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            'b70100000000000079a3f8ff000000000f13000000000000bfa1000000000000'
            '07010000f4ffffffb402000004000000850000007100000061a1f4ff00000000'
            '631af8ff00000000bfa200000000000007020000f8ffffff1801000000000000'
            '0000000000000000850000000100000055000100000000000500020000000000'
            '610700000000000056071b0000000000b407000000000000637af4ff00000000'
            'b7010000000000007b1af8ff00000000b7010000180000000f16000000000000'
            'bfa100000000000007010000f8ffffffb402000008000000bf63000000000000'
            '8500000071000000b70100000800000079a3f8ff000000000f13000000000000'
            'bfa100000000000007010000f4ffffffb4020000040000008500000071000000'
            '61a1f4ff00000000631af8ff00000000bfa200000000000007020000f8ffffff'
            '1801000000000000000000000000000085000000010000001500010000000000'
            '6107000000000000bc700000000000009500000000000000'
        ),
        (),
        ((248, 'namespaces', None), (480, 'namespaces', None)),
        (
            (8, 'task_struct.nsproxy', 0, False),
            (104, 'nsproxy.mnt_ns', 0, False),
            (160, 'mnt_namespace.ns.inum', 0, False),
            (336, 'nsproxy.pid_ns_for_children', 0, False),
            (392, 'pid_namespace.ns.inum', 0, False),
        ),
        (
            '0 containers.h:19: static __noinline __u32 find_container(struct task_struct *task)\n'
            '32 containers.h:21: struct nsproxy *spaces = READ(task->nsproxy);\n'
            '88 containers.h:22: __u32 number = find_by_namespace(READ(READ(spaces->mnt_ns)->ns.inum));\n'
            '248 containers.h:13: __u32 *number = bpf_map_lookup_elem(&namespaces, &inode);\n'
            '272 containers.h:15: return number ? *number : 0;\n'
            '280 containers.h:24: return number ? number : find_by_namespace(READ(READ(spaces->pid_ns_for_children)->ns.inum));\n'
            '288 containers.h:15: return number ? *number : 0;\n'
            '296 containers.h:24: return number ? number : find_by_namespace(READ(READ(spaces->pid_ns_for_children)->ns.inum));\n'
            '480 containers.h:13: __u32 *number = bpf_map_lookup_elem(&namespaces, &inode);\n'
            '504 containers.h:15: return number ? *number : 0;\n'
            '520 containers.h:24: return number ? number : find_by_namespace(READ(READ(spaces->pid_ns_for_children)->ns.inum));\n'
        ),
    ),
    'begin_segment': (
        (
            '634af0ff00000000633af8ff00000000bc28000000000000bf16000000000000'
            'b70900000100000018070000000000000000000000000000b701000001000000'
            'db170000010000006316000000000000b401000000000000631afcff00000000'
            'bfa200000000000007020000fcffffff18010000000000000000000000000000'
            '8500000058000000550002000000000061a9fcff000000000500080000000000'
            'db9730000100000025090100ff0f00000500050000000000b701000001000000'
            '18020000000000000000000000000000db12100000000000b409000000000000'
            '6396040000000000bf6900000000000007090000040000001801000000000000'
            '0000000000000000bf92000000000000850000000100000015000e0000000000'
            '61910000000000005601030000000000b401000001000000c310100000000000'
            '05000900000000006161000000000000b7020000010000007b20100000000000'
            '63800c000000000061a2f0ff00000000632008000000000061a2f8ff00000000'
            '632004000000000063100000000000009500000000000000'
        ),
        (),
        ((40, '.data', 0), (112, 'free_slots', None), (192, '.data', 0), (248, 'slots', None)),
        (),
        (
            '0 segments.h:50: static __noinline void begin_segment(struct task_state *state, enum event_kind kind, __u32 parent,\n'
            '40 segments.h:55: state->segment = __sync_fetch_and_add(&control.next_segment, 1);\n'
            '88 segments.h:37: __u32 number = OVERFLOW_SLOT;\n'
            '112 segments.h:40: if (bpf_map_pop_elem(&free_slots, &number) == 0)\n'
            '144 segments.h:41: return number;\n'
            '160 segments.h:42: next = __sync_fetch_and_add(&control.next_slot, 1);\n'
            '168 segments.h:43: if (next < SLOTS)\n'
            '176 segments.h:44: return next;\n'
            '192 segments.h:45: count_lost(lost_slots);\n'
            '224 segments.h:56: state->slot = take_slot();\n'
            '248 segments.h:57: slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '280 segments.h:58: if (!slot)\n'
            '288 segments.h:60: if (state->slot == OVERFLOW_SLOT) {\n'
            '312 segments.h:61: atomic_add(&slot->tasks, 1);\n'
            '320 segments.h:62: return;\n'
            '328 segments.h:64: slot->segment = state->segment;\n'
            '344 segments.h:68: slot->tasks = 1;\n'
            '352 segments.h:67: slot->kind = kind;\n'
            '360 segments.h:66: slot->tgid = tgid;\n'
            '376 segments.h:65: slot->parent = parent;\n'
            '392 segments.h:64: slot->segment = state->segment;\n'
            '400 segments.h:70: }\n'
        ),
    ),
    'send_member': (
        (
            '635af8ff00000000bc47000000000000bc36000000000000bf29000000000000'
            'bf1800000000000018010000000000000000000000000000b7020000b0000000'
            'b70300000000000085000000830000005500050000000000b701000001000000'
            '18020000000000000000000000000000db1208000000000005001e0000000000'
            'b40100000a000000631000000000000061812000000000006310040000000000'
            '637af0ff00000000bf0700000000000085000000050000007b07080000000000'
            '6191000000000000631710000000000063671400000000006191040000000000'
            '6317180000000000618124000000000063171c00000000006191200000000000'
            '6317200000000000b4010000000000006317240000000000bf71000000000000'
            '0701000028000000bf82000000000000851000000800000061a1f8ff00000000'
            '6317ac000000000061a1f0ff000000006317a80000000000bf71000000000000'
            'b70200000100000085000000840000009500000000000000'
        ),
        ((304, 'read_facts'),),
        ((40, 'events', None), (96, '.data', 0)),
        ((144, 'task_struct.pid', 0, False), (232, 'task_struct.tgid', 0, False)),
        (
            '0 adoption.h:72: static __noinline void send_member(struct task_struct *task, struct task_state *state,\n'
            '40 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '80 segments.h:28: if (event)\n'
            '96 segments.h:31: count_lost(lost_events);\n'
            '120 adoption.h:78: if (!event)\n'
            '136 segments.h:10: event->kind = kind;\n'
            '144 segments.h:11: event->tid = task->pid;\n'
            '176 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '192 segments.h:13: event->segment = state->segment;\n'
            '208 segments.h:14: event->parent = parent;\n'
            '216 segments.h:15: event->slot = state->slot;\n'
            '232 segments.h:16: event->tgid = task->tgid;\n'
            '248 segments.h:17: event->container = state->container;\n'
            '272 segments.h:18: event->reserved = 0;\n'
            '280 adoption.h:80: read_facts(&event->facts, task);\n'
            '312 adoption.h:82: event->by_pid = by_pid;\n'
            '328 adoption.h:81: event->seen_pid = seen_pid;\n'
            '344 adoption.h:83: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '368 adoption.h:84: }\n'
        ),
    ),
    'leave_segment': (
        (
            'bf26000000000000bf17000000000000bf680000000000000708000004000000'
            '18010000000000000000000000000000bf820000000000008500000001000000'
            'b7010000000000007b1af8ff000000007b1af0ff000000007b1ae8ff00000000'
            '7b1ae0ff000000007b1ad8ff000000001500230000000000b401000001000000'
            '8401000000000000c31010000100000056011f00010000006181000000000000'
            '16011d0000000000b401000005000000631ad8ff000000006171200000000000'
            '631adcff0000000085000000050000007b0ae0ff000000006161000000000000'
            '631ae8ff00000000b401000000000000631aecff000000006162040000000000'
            '632af0ff000000006172240000000000632af4ff000000006162200000000000'
            '632af8ff00000000631afcff00000000bfa200000000000007020000d8ffffff'
            'b70600000100000018010000000000000000000000000000b703000028000000'
            'b704000001000000850000008200000015000300000000001801000000000000'
            '0000000000000000db610800000000009500000000000000'
        ),
        (),
        ((32, 'slots', None), (328, 'events', None), (376, '.data', 0)),
        ((184, 'task_struct.pid', 0, False), (264, 'task_struct.tgid', 0, False)),
        (
            '0 segments.h:82: static __noinline void leave_segment(struct task_struct *task, struct task_state *state)\n'
            '16 segments.h:84: struct slot *slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '72 segments.h:85: struct event closed = {};\n'
            '112 segments.h:87: if (!slot)\n'
            '128 segments.h:89: if (__sync_fetch_and_sub(&slot->tasks, 1) != 1 || state->slot == OVERFLOW_SLOT)\n'
            '176 segments.h:10: event->kind = kind;\n'
            '184 segments.h:11: event->tid = task->pid;\n'
            '200 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '216 segments.h:13: event->segment = state->segment;\n'
            '240 segments.h:14: event->parent = parent;\n'
            '248 segments.h:15: event->slot = state->slot;\n'
            '264 segments.h:16: event->tgid = task->tgid;\n'
            '280 segments.h:17: event->container = state->container;\n'
            '296 segments.h:18: event->reserved = 0;\n'
            '328 segments.h:92: if (bpf_ringbuf_output(&events, &closed, sizeof(closed), BPF_RB_NO_WAKEUP))\n'
            '376 segments.h:93: count_lost(lost_events);\n'
            '400 segments.h:94: }\n'
        ),
    ),
    'update_seccomp': (
        (
            'bf26000000000000bf1700000000000061791000000000007409000018000000'
            '5409000001000000617184000000000061620800000000001e12260000000000'
            '616308000000000061620c000000000067020000200000004f32000000000000'
            '6163100000000000616414000000000067040000200000004f34000000000000'
            '616318000000000061651c000000000067050000200000004f35000000000000'
            '6163200000000000633af8ff000000007b5af0ff000000007b4ae8ff00000000'
            '7b2ae0ff00000000616200000000000061630400000000006703000020000000'
            '4f230000000000007b3ad8ff0000000063160800000000006174240000000000'
            '61a8d8ff00000000bf61000000000000b402000004000000bc83000000000000'
            '85100000d1fcffffb401000004000000bf72000000000000bf63000000000000'
            'bc8400000000000085100000fffcffffbfa200000000000007020000d8ffffff'
            'bf710000000000008510000013fbffff61611000000000001e91040000000000'
            '6396100000000000bf71000000000000bf620000000000008510000001000000'
            '9500000000000000'
        ),
        (
            (288, 'begin_segment'),
            (328, 'send_segment'),
            (360, 'leave_segment'),
            (408, 'send_suspension'),
        ),
        (),
        (
            (16, 'task_struct.ptrace', 0, False),
            (40, 'task_struct.seccomp.filter_count.counter', 0, False),
            (248, 'task_struct.tgid', 0, False),
        ),
        (
            '0 segments.h:146: static __noinline void update_seccomp(struct task_struct *task, struct task_state *state)\n'
            '16 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '40 segments.h:148: __u32 filters = task->seccomp.filter_count.counter;\n'
            '48 segments.h:151: if (state->filters != filters) {\n'
            '64 segments.h:152: struct task_state before = *state;\n'
            '240 segments.h:154: state->filters = filters;\n'
            '248 segments.h:155: begin_segment(state, EVENT_FILTER, before.segment, task->tgid);\n'
            '296 segments.h:156: send_segment(EVENT_FILTER, task, state, before.segment);\n'
            '352 segments.h:157: leave_segment(task, &before);\n'
            '368 segments.h:159: if (state->suspended != suspended) {\n'
            '384 segments.h:160: state->suspended = suspended;\n'
            '392 segments.h:161: send_suspension(task, state);\n'
            '416 segments.h:163: }\n'
        ),
    ),
    'count_denial': (
        (
            'bf36000000000000bf27000000000000bf180000000000006171000000000000'
            '631ae8ff000000006161080100000000631aecff000000007981000000000000'
            '74010000160000005401000001000000bc120000000000004402000002000000'
            '632af0ff00000000b40200000000000079837800000000005703000000000040'
            '550307000000000016010200000000006704000020000000c704000020000000'
            'bc4200000000000084020000000000002504010000f0ffffb402000000000000'
            '632af4ff00000000bfa200000000000007020000e8ffffff1801000000000000'
            '000000000000000085000000010000005500050000000000bfa3000000000000'
            '07030000e8ffffffbf81000000000000bf7200000000000085100000c3040000'
            'b7080000010000007b8af8ff00000000bfa200000000000007020000e8ffffff'
            '18010000000000000000000000000000850000000100000055000f0000000000'
            'bfa200000000000007020000e8ffffffbfa300000000000007030000f8ffffff'
            '18010000000000000000000000000000b7040000010000008500000002000000'
            '1500070000000000bfa200000000000007020000e8ffffff1801000000000000'
            '0000000000000000850000000100000015000a0000000000db80000000000000'
            '61a1f0ff000000005401000001000000560105000000000061a3ecff00000000'
            '26030300ff010000bf71000000000000bf6200000000000085100000d1040000'
            '9500000000000000b70100000100000018020000000000000000000000000000'
            'db121800000000000500f2ff00000000'
        ),
        ((280, 'send_denial'), (536, 'keep_denied_arguments')),
        (
            (216, 'rare', None),
            (320, 'rare', None),
            (384, 'rare', None),
            (440, 'rare', None),
            (560, '.data', 0),
        ),
        (
            (40, 'pt_regs.syscallno', 0, False),
            (56, 'task_struct.thread_info.flags', 0, False),
            (112, 'task_struct.pending.signal.sig', 0, False),
        ),
        (
            '0 denials.h:46: static __noinline void count_denial(struct task_struct *task, struct task_state *state,\n'
            '24 denials.h:49: struct rare_key key = { .segment = state->segment };\n'
            '40 registers.h:78: return regs->syscallno;\n'
            '48 denials.h:51: key.number = call_number(regs);\n'
            '56 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '80 denials.h:52: key.mode = compat_mode(task) | MODE_DENIED;\n'
            '112 denials.h:40: if (task->pending.signal.sig[0] & SIGSYS_BIT)\n'
            '136 denials.h:36: __s64 value = mode & MODE_COMPAT ? (__s32)result : (__s64)result;\n'
            '160 denials.h:43: return value < 0 && value >= -MAX_ERRNO ? -value : 0;\n'
            '192 denials.h:53: key.error = denial_errno(task, result, key.mode);\n'
            '216 denials.h:55: if (!bpf_map_lookup_elem(&rare, &key))\n'
            '264 denials.h:56: send_denial(task, state, &key);\n'
            '296 segments.h:175: __u64 one = 1, *count = bpf_map_lookup_elem(map, key);\n'
            '344 segments.h:177: if (!count) {\n'
            '384 segments.h:178: if (bpf_map_update_elem(map, key, &one, BPF_NOEXIST) == 0)\n'
            '440 segments.h:180: count = bpf_map_lookup_elem(map, key);\n'
            '464 segments.h:181: if (!count)\n'
            '472 segments.h:184: atomic_add(count, 1);\n'
            '480 denials.h:59: if (!(key.mode & MODE_COMPAT) && key.number < NUMBERS)\n'
            '520 denials.h:60: keep_denied_arguments(state, regs, key.number);\n'
            '544 denials.h:61: }\n'
            '560 denials.h:58: count_lost(lost_rare);\n'
        ),
    ),
    'send_denial': (
        (
            'bf36000000000000bf27000000000000bf180000000000006179000000000000'
            '18010000000000000000000000000000b702000038000000b703000000000000'
            '85000000830000005500050000000000b7010000010000001802000000000000'
            '0000000000000000db1208000000000005001e0000000000b40100000c000000'
            '631000000000000061812000000000006310040000000000639af8ff00000000'
            'bf0900000000000085000000050000007b090800000000006171000000000000'
            '631910000000000061a1f8ff0000000063191400000000006171040000000000'
            '6319180000000000618124000000000063191c00000000006171200000000000'
            '6319200000000000b40100000000000063192400000000006162040000000000'
            '6329280000000000616208000000000063292c000000000061620c0000000000'
            '63293000000000006319340000000000bf91000000000000b702000001000000'
            '85000000840000009500000000000000'
        ),
        (),
        ((32, 'events', None), (88, '.data', 0)),
        ((136, 'task_struct.pid', 0, False), (232, 'task_struct.tgid', 0, False)),
        (
            '0 denials.h:18: static __noinline void send_denial(struct task_struct *task, struct task_state *state,\n'
            '24 denials.h:23: event = reserve_event(sizeof(*event), EVENT_DENIAL, task, state, state->segment);\n'
            '32 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '72 segments.h:28: if (event)\n'
            '88 segments.h:31: count_lost(lost_events);\n'
            '112 denials.h:24: if (!event)\n'
            '128 segments.h:10: event->kind = kind;\n'
            '136 segments.h:11: event->tid = task->pid;\n'
            '168 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '184 segments.h:13: event->segment = state->segment;\n'
            '200 segments.h:14: event->parent = parent;\n'
            '216 segments.h:15: event->slot = state->slot;\n'
            '232 segments.h:16: event->tgid = task->tgid;\n'
            '248 segments.h:17: event->container = state->container;\n'
            '272 segments.h:18: event->reserved = 0;\n'
            '280 denials.h:26: event->number = key->number;\n'
            '296 denials.h:27: event->mode = key->mode;\n'
            '312 denials.h:28: event->error = key->error;\n'
            '328 denials.h:29: event->reserved = 0;\n'
            '336 denials.h:30: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '360 denials.h:31: }\n'
        ),
    ),
    'keep_denied_arguments': (
        (
            'bc36000000000000bf28000000000000bf17000000000000bc61000000000000'
            '180200000000000000000000000000000f120000000000007129000000000000'
            'bc91000000000000540100000100000016010500000000007984000100000000'
            'bf71000000000000bc62000000000000b4030000000100008510000018000000'
            'bc91000000000000540100000200000016010500000000007984080000000000'
            'bf71000000000000bc62000000000000b4030000010100008510000010000000'
            'bc91000000000000540100000400000016010500000000007984100000000000'
            'bf71000000000000bc62000000000000b4030000020100008510000008000000'
            '540900000800000016090500000000007984180000000000bf71000000000000'
            'bc62000000000000b40300000301000085100000010000009500000000000000'
        ),
        (
            (120, 'count_argument'),
            (184, 'count_argument'),
            (248, 'count_argument'),
            (304, 'count_argument'),
        ),
        ((32, '.rodata', 0),),
        (
            (88, 'pt_regs.orig_x0', 0, False),
            (152, 'pt_regs.regs', 8, False),
            (216, 'pt_regs.regs', 16, False),
            (272, 'pt_regs.regs', 24, False),
        ),
        (
            '0 arguments.h:61: static __noinline void keep_denied_arguments(struct task_state *state, struct pt_regs *regs,\n'
            '24 arguments.h:64: __u32 spec = argument_specs[number & (NUMBERS - 1)];\n'
            '64 arguments.h:66: if (spec & KEEP_ARG0)\n'
            '88 registers.h:101: static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->orig_x0; }\n'
            '96 arguments.h:67: count_argument(state, number, DENIED_ARGUMENT | 0, argument0(regs));\n'
            '128 arguments.h:68: if (spec & KEEP_ARG1)\n'
            '152 registers.h:102: static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->regs[1]; }\n'
            '160 arguments.h:69: count_argument(state, number, DENIED_ARGUMENT | 1, argument1(regs));\n'
            '192 arguments.h:70: if (spec & KEEP_ARG2)\n'
            '216 registers.h:103: static __always_inline __u64 argument2(struct pt_regs *regs) { return regs->regs[2]; }\n'
            '224 arguments.h:71: count_argument(state, number, DENIED_ARGUMENT | 2, argument2(regs));\n'
            '256 arguments.h:72: if (spec & KEEP_ARG3)\n'
            '272 registers.h:104: static __always_inline __u64 argument3(struct pt_regs *regs) { return regs->regs[3]; }\n'
            '280 arguments.h:73: count_argument(state, number, DENIED_ARGUMENT | 3, argument3(regs));\n'
            '312 arguments.h:74: }\n'
        ),
    ),
    'classify': (
        (
            '6113000000000000633ae8ff000000006123180000000000633aecff00000000'
            '7923100000000000633af4ff0000000061140c000000000056040d0002000000'
            'b406000001000000636af0ff00000000b7070000010000007b7af8ff00000000'
            'bfa200000000000007020000e8ffffff18010000000000000000000000000000'
            '850000000100000015005c0000000000db70000001000000a5076b0040000000'
            '0500690000000000b404000002000000634af0ff00000000a50326007bffffff'
            '180400000000000000000000000000001f340000000000007143000000000000'
            '1603210000000000bf27000000000000bf18000000000000b709000001000000'
            '7b9af8ff00000000bfa200000000000007020000e8ffffff1801000000000000'
            '000000000000000085000000010000005500120000000000bfa2000000000000'
            '07020000e8ffffffbfa300000000000007030000f8ffffff1801000000000000'
            '0000000000000000b70400000000000085000000020000005500020000000000'
            'b40600000200000005004d0000000000b7010000010000001802000000000000'
            '0000000000000000db12200000000000bf81000000000000bf72000000000000'
            '0500050000000000db90000001000000b406000002000000bf81000000000000'
            'bf72000000000000a5094100200000006123180000000000bc34000000000000'
            '4404000002000000160401004200000005000b00000000007924000000000000'
            '794400010000000056040800020000007924100000000000c504060001000000'
            '61221c00000000005602040000000000b4060000040000001603330040000000'
            'b40600000500000005003100000000000701000004000000bf12000000000000'
            '180100000000000000000000000000008500000001000000b406000000000000'
            '15002a000000000061010c00000000005601280004000000b406000003000000'
            '636af0ff00000000b401000000000000631aecff00000000631af4ff00000000'
            'b7070000010000007b7af8ff00000000bfa200000000000007020000e8ffffff'
            '1801000000000000000000000000000085000000010000005500180000000000'
            'bfa200000000000007020000e8ffffffbfa300000000000007030000f8ffffff'
            '18010000000000000000000000000000b7040000000000008500000002000000'
            '55000a00000000000500110000000000bfa200000000000007020000e8ffffff'
            'bfa300000000000007030000f8ffffff18010000000000000000000000000000'
            'b70400000000000085000000020000001500080000000000b701000001000000'
            '18020000000000000000000000000000db122000000000000500020000000000'
            'db70000001000000a507010000020000b406000000000000bc60000000000000'
            '9500000000000000'
        ),
        (),
        (
            (112, 'sent', None),
            (192, '.rodata', 1537),
            (280, 'sent', None),
            (344, 'sent', None),
            (408, '.data', 0),
            (640, 'slots', None),
            (768, 'sent', None),
            (832, 'sent', None),
            (912, 'sent', None),
            (960, '.data', 0),
        ),
        ((544, 'pt_regs.orig_x0', 0, False),),
        (
            '0 detail.h:383: struct sent_key key = { .segment = state->segment };\n'
            '16 detail.h:387: key.number = call->number;\n'
            '32 detail.h:388: key.result = call->result;\n'
            '48 detail.h:389: if (state->position == REFUSED) {\n'
            '72 detail.h:390: key.kind = DETAIL_REFUSED;\n'
            '88 detail.h:201: __u64 one = 1, *count = bpf_map_lookup_elem(&sent, key);\n'
            '136 detail.h:203: if (count)\n'
            '144 detail.h:204: return __sync_fetch_and_add(count, 1) < limit;\n'
            '176 detail.h:393: key.kind = DETAIL_FAILED;\n'
            '184 detail.h:355: return result < 0 && -result < ERRNOS && reported_errnos[-result];\n'
            '224 detail.h:394: if (is_reported_failure(call->result) && is_within(&key, EACH))\n'
            '256 detail.h:201: __u64 one = 1, *count = bpf_map_lookup_elem(&sent, key);\n'
            '304 detail.h:203: if (count)\n'
            '344 detail.h:205: if (bpf_map_update_elem(&sent, key, &one, BPF_ANY) == 0)\n'
            '392 detail.h:394: if (is_reported_failure(call->result) && is_within(&key, EACH))\n'
            '408 detail.h:207: count_lost(lost_arguments);\n'
            '448 detail.h:394: if (is_reported_failure(call->result) && is_within(&key, EACH))\n'
            '456 detail.h:204: return __sync_fetch_and_add(count, 1) < limit;\n'
            '488 detail.h:394: if (is_reported_failure(call->result) && is_within(&key, EACH))\n'
            '496 detail.h:319: if (call->number != NR_WRITE && call->number != NR_WRITEV)\n'
            '536 detail.h:321: if ((__u32)argument0(call->regs) != STDERR || call->result <= 0 || call->marks)\n'
            '544 registers.h:101: static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->orig_x0; }\n'
            '552 detail.h:321: if ((__u32)argument0(call->regs) != STDERR || call->result <= 0 || call->marks)\n'
            '600 detail.h:323: return call->number == NR_WRITE ? DETAIL_WRITTEN : DETAIL_WRITTEN_IN_PIECES;\n'
            '624 detail.h:399: slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '672 detail.h:400: if (!slot || slot->kind != EVENT_FILTER)\n'
            '704 detail.h:403: key.kind = DETAIL_CALL;\n'
            '720 detail.h:402: key.number = key.result = 0; /* all calls of the segment together */\n'
            '744 detail.h:201: __u64 one = 1, *count = bpf_map_lookup_elem(&sent, key);\n'
            '792 detail.h:203: if (count)\n'
            '832 detail.h:205: if (bpf_map_update_elem(&sent, key, &one, BPF_ANY) == 0)\n'
            '872 detail.h:404: return is_within(&key, IN_FILTERED) ? DETAIL_CALL : 0;\n'
            '912 detail.h:205: if (bpf_map_update_elem(&sent, key, &one, BPF_ANY) == 0)\n'
            '960 detail.h:207: count_lost(lost_arguments);\n'
            '992 detail.h:204: return __sync_fetch_and_add(count, 1) < limit;\n'
            '1000 detail.h:404: return is_within(&key, IN_FILTERED) ? DETAIL_CALL : 0;\n'
            '1016 detail.h:405: }\n'
        ),
    ),
    'send_detail': (
        (
            'bf49000000000000bf36000000000000bf27000000000000bc18000000000000'
            '18010000000000000000000000000000b702000058020000b703000000000000'
            '85000000830000005500050000000000b7010000010000001802000000000000'
            '0000000000000000db1200000000000005008500000000006380000000000000'
            '6171200000000000631004000000000079910800000000007b10080000000000'
            '6161000000000000631010000000000061921c00000000006320140000000000'
            '6196180000000000b40300000000000063301c00000000006360180000000000'
            '79971000000000007b702000000000007b0ae8ff000000007994000000000000'
            '794300010000000079a1e8ff000000007b312800000000007943080000000000'
            '79a1e8ff000000007b31300000000000794510000000000079a1e8ff00000000'
            '7b51380000000000794518000000000079a1e8ff000000007b51400000000000'
            '794520000000000079a1e8ff000000007b514800000000007944280000000000'
            '79a1e8ff000000007b4150000000000079a1e8ff0000000016082c0004000000'
            '56083a0005000000b708000000000000bf120000000000000702000058000000'
            '7b2ae0ff00000000b709000000000000b7060000000000000500120000000000'
            '5f1700000000000079a1e0ff000000000f6100000000000079a3f0ff00000000'
            'bc72000000000000850000007000000079a1e8ff000000001500030000000000'
            'bf6700000000000063711c000000000005004b00000000000f67000000000000'
            '07090000010000000708000010000000bf760000000000005508020000010000'
            '63711c000000000005004400000000007912380000000000bd92f4ff00000000'
            '2506f3ffff0000007911300000000000bf830000000000000f13000000000000'
            'bfa100000000000007010000f0ffffffb4020000100000008500000070000000'
            '79a1e8ff000000005500eaff0000000079a7f8ff00000000b7010000ff000000'
            '5f16000000000000a507deffff000000b7070000ff0000000500dcff00000000'
            'a5072c0001020000b40200000002000063211c00000000000701000058000000'
            'b402000000010000850000007000000079a1e8ff000000007911300000000000'
            '0f170000000000000707000000ffffff79a1e8ff000000000701000058010000'
            'b402000000010000bf7300000000000005002100000000005402000001000000'
            '560221000000000026062000ff010000bf170000000000000707000028000000'
            '180200000000000000000000000000000f620000000000001803000000000000'
            '00000000000000000f6300000000000071330000000000007126000000000000'
            '5506180000000000b40000000000000004030000ffffffff26030b0005000000'
            'b7020000070000005f2300000000000067030000030000000f37000000000000'
            '79730000000000000701000058000000b4020000000200008500000072000000'
            '6500010000000000b70000000000000079a1e8ff0000000063011c0000000000'
            '050005000000000063711c00000000000701000058000000bc72000000000000'
            '850000007000000079a1e8ff00000000b7020000010000008500000084000000'
            '9500000000000000b40000000000000004030000ffffffff26030c0005000000'
            'b7020000070000005f230000000000006703000003000000bf72000000000000'
            '0f3200000000000079230000000000000701000058000000b402000000010000'
            '85000000720000006500010000000000b70000000000000079a1e8ff00000000'
            '63011c00000000002606ecff0600000004060000ffffffffb702000007000000'
            '5f2600000000000067060000030000000f670000000000007973000000000000'
            '0701000058010000b40200000001000085000000720000006500010000000000'
            'b70000000000000079a1e8ff000000001600dfff000000006112140000000000'
            '440200001000000063211400000000000500dbff00000000'
        ),
        (),
        ((32, 'details', None), (88, '.bss', 16), (928, '.rodata', 1025), (952, '.rodata', 513)),
        (
            (128, 'task_struct.pid', 0, False),
            (256, 'pt_regs.orig_x0', 0, False),
            (280, 'pt_regs.regs', 8, False),
            (304, 'pt_regs.regs', 16, False),
            (328, 'pt_regs.regs', 24, False),
            (352, 'pt_regs.regs', 32, False),
            (376, 'pt_regs.regs', 40, False),
        ),
        (
            '0 detail.h:289: static __noinline void send_detail(enum detail_kind kind, struct task_struct *task,\n'
            '32 detail.h:292: struct detail_event *event = bpf_ringbuf_reserve(&details, sizeof(*event), 0);\n'
            '72 detail.h:294: if (!event) {\n'
            '88 detail.h:295: atomic_add(&lost_details, 1);\n'
            '112 detail.h:296: return;\n'
            '120 detail.h:298: event->kind = kind;\n'
            '128 detail.h:299: event->tid = task->pid;\n'
            '144 detail.h:300: event->time = call->time;\n'
            '160 detail.h:301: event->segment = state->segment;\n'
            '176 detail.h:302: event->marks = call->marks;\n'
            '192 detail.h:303: event->number = call->number;\n'
            '208 detail.h:304: event->length = 0;\n'
            '216 detail.h:303: event->number = call->number;\n'
            '224 detail.h:305: event->result = call->result;\n'
            '248 detail.h:306: read_arguments(event->arguments, call->regs, call->marks & MARK_COMPAT);\n'
            '256 registers.h:108: arguments[0] = regs->orig_x0;\n'
            '280 registers.h:109: arguments[1] = regs->regs[1];\n'
            '304 registers.h:110: arguments[2] = regs->regs[2];\n'
            '328 registers.h:111: arguments[3] = regs->regs[3];\n'
            '352 registers.h:112: arguments[4] = regs->regs[4];\n'
            '376 registers.h:113: arguments[5] = regs->regs[5];\n'
            '408 detail.h:307: if (kind == DETAIL_WRITTEN)\n'
            '480 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '488 detail.h:282: if (bpf_probe_read_user(&event->text[used], length, (void *)piece.base))\n'
            '552 detail.h:286: event->length = used;\n'
            '560 detail.h:310: read_pieces(event);\n'
            '568 detail.h:284: used += length;\n'
            '576 detail.h:270: for (__u32 i = 0; i < PIECES; i++) {\n'
            '608 detail.h:286: event->length = used;\n'
            '616 detail.h:310: read_pieces(event);\n'
            '624 detail.h:274: if (i >= event->arguments[2] || used > PIECE)\n'
            '648 detail.h:277: (void *)(event->arguments[1] + i * sizeof(piece))))\n'
            '688 detail.h:276: if (bpf_probe_read_user(&piece, sizeof(piece),\n'
            '720 detail.h:279: length = piece.length > PIECE ? PIECE : piece.length;\n'
            '736 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '744 detail.h:279: length = piece.length > PIECE ? PIECE : piece.length;\n'
            '768 detail.h:248: if (length > TEXT_SIZE) {\n'
            '784 detail.h:249: event->length = TEXT_SIZE;\n'
            '792 detail.h:250: bpf_probe_read_user(event->text, TEXT_SIZE / 2, (void *)event->arguments[1]);\n'
            '816 detail.h:252: (void *)(event->arguments[1] + length - TEXT_SIZE / 2));\n'
            '848 detail.h:251: bpf_probe_read_user(&event->text[TEXT_SIZE / 2], TEXT_SIZE / 2,\n'
            '888 detail.h:230: if (event->marks & MARK_COMPAT || event->number >= NUMBERS)\n'
            '928 detail.h:233: second = second_path_arguments[event->number];\n'
            '952 detail.h:232: first = path_arguments[event->number];\n'
            '984 detail.h:233: second = second_path_arguments[event->number];\n'
            '992 detail.h:234: if (!second) {\n'
            '1008 detail.h:215: __u64 index = number - 1;\n'
            '1016 detail.h:218: if (index > 5)\n'
            '1032 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '1040 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1064 detail.h:235: event->length = read_argument_string(event->text, TEXT_SIZE, event->arguments, first);\n'
            '1072 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1088 detail.h:222: return length > 0 ? length : 0;\n'
            '1112 detail.h:235: event->length = read_argument_string(event->text, TEXT_SIZE, event->arguments, first);\n'
            '1120 detail.h:236: return;\n'
            '1128 detail.h:255: event->length = length;\n'
            '1136 detail.h:256: bpf_probe_read_user(event->text, length, (void *)event->arguments[1]);\n'
            '1168 detail.h:313: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '1184 detail.h:314: }\n'
            '1200 detail.h:215: __u64 index = number - 1;\n'
            '1208 detail.h:218: if (index > 5)\n'
            '1224 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '1232 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1264 detail.h:238: event->length = read_argument_string(event->text, SECOND_PATH, event->arguments, first);\n'
            '1272 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1288 detail.h:222: return length > 0 ? length : 0;\n'
            '1312 detail.h:238: event->length = read_argument_string(event->text, SECOND_PATH, event->arguments, first);\n'
            '1320 detail.h:218: if (index > 5)\n'
            '1328 detail.h:215: __u64 index = number - 1;\n'
            '1344 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '1352 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1376 detail.h:239: if (read_argument_string(&event->text[SECOND_PATH], SECOND_PATH, event->arguments, second))\n'
            '1384 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1400 detail.h:222: return length > 0 ? length : 0;\n'
            '1424 detail.h:239: if (read_argument_string(&event->text[SECOND_PATH], SECOND_PATH, event->arguments, second))\n'
            '1432 detail.h:240: event->marks |= MARK_TWO_PATHS;\n'
        ),
    ),
    'send_segment': (
        (
            'bc48000000000000bf37000000000000bf26000000000000bc19000000000000'
            '18010000000000000000000000000000b7020000a8000000b703000000000000'
            '85000000830000005500050000000000b7010000010000001802000000000000'
            '0000000000000000db1208000000000005001800000000006390000000000000'
            '61612000000000006310040000000000bf090000000000008500000005000000'
            '7b09080000000000617100000000000063191000000000006389140000000000'
            '61710400000000006319180000000000616124000000000063191c0000000000'
            '61712000000000006319200000000000b4010000000000006319240000000000'
            'bf910000000000000701000028000000bf62000000000000851000006c010000'
            'bf91000000000000b70200000100000085000000840000009500000000000000'
        ),
        ((280, 'read_facts'),),
        ((32, 'events', None), (88, '.data', 0)),
        ((128, 'task_struct.pid', 0, False), (208, 'task_struct.tgid', 0, False)),
        (
            '0 segments.h:96: static __noinline void send_segment(enum event_kind kind, struct task_struct *task,\n'
            '32 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '72 segments.h:28: if (event)\n'
            '88 segments.h:31: count_lost(lost_events);\n'
            '112 segments.h:102: if (!event)\n'
            '120 segments.h:10: event->kind = kind;\n'
            '128 segments.h:11: event->tid = task->pid;\n'
            '152 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '168 segments.h:13: event->segment = state->segment;\n'
            '184 segments.h:14: event->parent = parent;\n'
            '192 segments.h:15: event->slot = state->slot;\n'
            '208 segments.h:16: event->tgid = task->tgid;\n'
            '224 segments.h:17: event->container = state->container;\n'
            '248 segments.h:18: event->reserved = 0;\n'
            '256 segments.h:104: read_facts(&event->facts, task);\n'
            '288 segments.h:105: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '312 segments.h:106: }\n'
        ),
    ),
    'read_facts': (
        (
            'bf26000000000000bf17000000000000b7010000000000007b1af8ff00000000'
            'b701000040000000bf630000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000850000007100000079a9f8ff00000000'
            'b401000000000000631af8ff00000000b701000000000000bf93000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000004000000'
            '8500000071000000b7010000080000000f19000000000000b708000010000000'
            '61a1f8ff00000000540100001f0000002f180000000000000f98000000000000'
            'b401000000000000631af8ff00000000b701000000000000bf83000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000004000000'
            '8500000071000000b7010000080000000f1800000000000061a9f8ff00000000'
            'b7010000000000007b1af8ff00000000bfa100000000000007010000f8ffffff'
            'b402000008000000bf83000000000000850000007100000079a8f8ff00000000'
            '6161840000000000631700000000000061618000000000006317380000000000'
            '6161100000000000740100001800000054010000010000006317040000000000'
            '7961180000000000540100000100000063173c0000000000b701000000000000'
            '7b1af8ff000000007b1af0ff00000000b701000060000000bf63000000000000'
            '0f13000000000000bfa100000000000007010000f0ffffffb402000008000000'
            '8500000071000000b70100000000000079a3f0ff000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a1f8ff000000007b17400000000000b7010000080000000f18000000000000'
            'b401000000000000631af8ff00000000bfa100000000000007010000f8ffffff'
            'b402000004000000bf83000000000000850000007100000061a1f8ff00000000'
            '639724000000000063171c0000000000b7010000000000007b1af8ff00000000'
            'b701000048000000bf630000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000850000007100000079a8f8ff00000000'
            'b409000000000000639af8ff00000000b701000000000000bf83000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000004000000'
            '850000007100000061a1f8ff000000006317080000000000639af8ff00000000'
            'b701000004000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000004000000850000007100000061a1f8ff00000000'
            '63170c0000000000639af8ff00000000b701000008000000bf83000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000004000000'
            '850000007100000061a1f8ff000000006317100000000000639af8ff00000000'
            'b70100000c000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000004000000850000007100000061a1f8ff00000000'
            '6317140000000000639af0ff00000000b7010000000000007b1af8ff00000000'
            'b701000038000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000080000008500000071000000b701000000000000'
            '79a3f8ff000000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000004000000850000007100000061a1f0ff000000006317200000000000'
            'b7090000000000007b9af8ff00000000b701000010000000bf83000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000008000000'
            '850000007100000079a1f8ff000000007b174800000000007b9af8ff00000000'
            'b701000018000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000850000007100000079a1f8ff00000000'
            '7b175000000000007b9af8ff00000000b701000020000000bf83000000000000'
            '0f13000000000000bfa100000000000007010000f8ffffffb402000008000000'
            '850000007100000079a1f8ff000000007b175800000000007b9af8ff00000000'
            'b701000028000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000850000007100000079a1f8ff00000000'
            '7b17600000000000b7010000300000000f180000000000007b9af8ff00000000'
            'bfa100000000000007010000f8ffffffb402000008000000bf83000000000000'
            '850000007100000079a1f8ff000000007b176800000000007b9af8ff00000000'
            'b701000068000000bf630000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000850000007100000079a8f8ff00000000'
            'b409000000000000639af0ff00000000b7010000000000007b1af8ff00000000'
            'b701000010000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000080000008500000071000000b701000000000000'
            '79a3f8ff000000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000004000000850000007100000061a1f0ff000000006317180000000000'
            '639af0ff00000000b7010000000000007b1af8ff00000000b709000000000000'
            'b701000020000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000080000008500000071000000b701000000000000'
            '79a3f8ff000000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000004000000850000007100000061a1f0ff000000006317280000000000'
            'b401000000000000631af0ff000000007b9af8ff00000000b701000008000000'
            'bf830000000000000f13000000000000bfa100000000000007010000f8ffffff'
            'b4020000080000008500000071000000b70100000000000079a3f8ff00000000'
            '0f13000000000000bfa100000000000007010000f0ffffffb402000004000000'
            '850000007100000061a1f0ff0000000063172c0000000000b401000000000000'
            '631af0ff00000000b409000000000000b7010000000000007b1af8ff00000000'
            'b701000000000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000080000008500000071000000b701000000000000'
            '79a3f8ff000000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000004000000850000007100000061a1f0ff000000006317300000000000'
            '639af0ff00000000b7010000000000007b1af8ff00000000b701000028000000'
            '0f18000000000000bfa100000000000007010000f8ffffffb402000008000000'
            'bf830000000000008500000071000000b70100000000000079a3f8ff00000000'
            '0f13000000000000bfa100000000000007010000f0ffffffb402000004000000'
            '850000007100000061a1f0ff000000006317340000000000b701000050000000'
            '0f160000000000000707000070000000bf71000000000000b402000010000000'
            'bf6300000000000085000000710000009500000000000000'
        ),
        (),
        (),
        (
            (32, 'task_struct.thread_pid', 0, False),
            (112, 'pid.level', 0, False),
            (168, 'pid.numbers', 0, False),
            (184, 'upid', 0, False),
            (240, 'upid.nr', 0, False),
            (296, 'upid.ns', 0, False),
            (384, 'task_struct.seccomp.filter_count.counter', 0, False),
            (400, 'task_struct.seccomp.mode', 0, False),
            (416, 'task_struct.ptrace', 0, False),
            (448, 'task_struct.atomic_flags', 0, False),
            (496, 'task_struct.fs', 0, False),
            (552, 'fs_struct.root.dentry', 0, False),
            (624, 'pid_namespace.ns.inum', 0, False),
            (736, 'task_struct.cred', 0, False),
            (816, 'cred.uid.val', 0, False),
            (896, 'cred.gid.val', 0, False),
            (976, 'cred.euid.val', 0, False),
            (1056, 'cred.egid.val', 0, False),
            (1152, 'cred.user_ns', 0, False),
            (1208, 'user_namespace.ns.inum', 0, False),
            (1296, 'cred.cap_inheritable', 0, False),
            (1376, 'cred.cap_permitted', 0, False),
            (1456, 'cred.cap_effective', 0, False),
            (1536, 'cred.cap_bset', 0, False),
            (1608, 'cred.cap_ambient', 0, False),
            (1696, 'task_struct.nsproxy', 0, False),
            (1792, 'nsproxy.mnt_ns', 0, False),
            (1848, 'mnt_namespace.ns.inum', 0, False),
            (1952, 'nsproxy.net_ns', 0, False),
            (2008, 'net.ns.inum', 0, False),
            (2104, 'nsproxy.ipc_ns', 0, False),
            (2160, 'ipc_namespace.ns.inum', 0, False),
            (2272, 'nsproxy.uts_ns', 0, False),
            (2328, 'uts_namespace.ns.inum', 0, False),
            (2424, 'nsproxy.cgroup_ns', 0, False),
            (2480, 'cgroup_namespace.ns.inum', 0, False),
            (2552, 'task_struct.comm', 0, False),
        ),
        (
            '0 facts.h:31: static __noinline void read_facts(struct facts *facts, struct task_struct *task)\n'
            '24 facts.h:33: struct pid *pid = READ(task->thread_pid);\n'
            '104 facts.h:34: struct pid_number innermost = read_upid(pid, READ(pid->level));\n'
            '200 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '224 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '320 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '384 facts.h:36: facts->filters = task->seccomp.filter_count.counter;\n'
            '400 facts.h:37: facts->seccomp = task->seccomp.mode;\n'
            '416 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '440 facts.h:38: facts->suspended = is_suspended(task);\n'
            '448 facts.h:39: facts->no_new_privs = task->atomic_flags >> PFA_NO_NEW_PRIVS & 1;\n'
            '480 facts.h:40: facts->root = (__u64)READ(READ(task->fs)->root.dentry);\n'
            '640 facts.h:41: facts->pids = READ(innermost.ns->ns.inum);\n'
            '704 facts.h:42: facts->local_pid = innermost.nr;\n'
            '712 facts.h:41: facts->pids = READ(innermost.ns->ns.inum);\n'
            '720 facts.h:43: read_credentials(facts, READ(task->cred));\n'
            '808 facts.h:9: facts->uid = READ(cred->uid.val);\n'
            '888 facts.h:10: facts->gid = READ(cred->gid.val);\n'
            '968 facts.h:11: facts->euid = READ(cred->euid.val);\n'
            '1048 facts.h:12: facts->egid = READ(cred->egid.val);\n'
            '1128 facts.h:13: facts->users = READ(READ(cred->user_ns)->ns.inum);\n'
            '1288 facts.h:14: facts->capabilities[0] = READ(cred->cap_inheritable);\n'
            '1368 facts.h:15: facts->capabilities[1] = READ(cred->cap_permitted);\n'
            '1448 facts.h:16: facts->capabilities[2] = READ(cred->cap_effective);\n'
            '1528 facts.h:17: facts->capabilities[3] = READ(cred->cap_bset);\n'
            '1624 facts.h:18: facts->capabilities[4] = READ(cred->cap_ambient);\n'
            '1688 facts.h:44: read_namespaces(facts, READ(task->nsproxy));\n'
            '1768 facts.h:24: facts->mounts = READ(READ(namespaces->mnt_ns)->ns.inum);\n'
            '1920 facts.h:25: facts->net = READ(READ(namespaces->net_ns)->ns.inum);\n'
            '2080 facts.h:26: facts->ipc = READ(READ(namespaces->ipc_ns)->ns.inum);\n'
            '2232 facts.h:27: facts->uts = READ(READ(namespaces->uts_ns)->ns.inum);\n'
            '2400 facts.h:28: facts->cgroup = READ(READ(namespaces->cgroup_ns)->ns.inum);\n'
            '2568 facts.h:45: bpf_probe_read_kernel(&facts->comm, sizeof(facts->comm), &task->comm);\n'
            '2608 facts.h:46: }\n'
        ),
    ),
    'follow_joining': (
        (
            'bf16000000000000616124000000000061622000000000005e12440000000000'
            'bf6100000000000085100000f0000000bc070000000000005607160000000000'
            '7961680000000000791118000000000079120000000000001801000000000000'
            '0000000000000000b703000000000000b704000000000000850000009c000000'
            'bf08000000000000b40700000000000015080b00000000006181200000000000'
            '1601090000000000070800002000000018010000000000000000000000000000'
            'bf82000000000000850000000100000015000300000000006101040000000000'
            '16010100000000006187000000000000637afcff00000000bfa2000000000000'
            '07020000fcffffff180100000000000000000000000000008500000001000000'
            '5500010000000000050022000000000061010000000000001601200000000000'
            'b70800000100000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000001000000850000009c0000005500040000000000'
            '18010000000000000000000000000000db812800000000000500140000000000'
            'b40100000100000063100c000000000063702000000000006161840000000000'
            '6310080000000000616110000000000074010000180000005401000001000000'
            '63101000000000006164240000000000bf01000000000000b40200000b000000'
            'b403000000000000bf070000000000008510000062ffffffb40100000b000000'
            'bf62000000000000bf73000000000000b4040000000000008510000090ffffff'
            '9500000000000000'
        ),
        ((40, 'find_container'), (528, 'begin_segment'), (568, 'send_segment')),
        (
            (88, 'tasks', None),
            (176, 'containers', None),
            (264, 'containers', None),
            (328, 'tasks', None),
            (384, '.data', 0),
        ),
        (
            (8, 'task_struct.tgid', 0, False),
            (16, 'task_struct.pid', 0, False),
            (64, 'task_struct.nsproxy', 0, False),
            (72, 'nsproxy.pid_ns_for_children', 0, False),
            (80, 'pid_namespace.child_reaper', 0, False),
            (440, 'task_struct.seccomp.filter_count.counter', 0, False),
            (456, 'task_struct.ptrace', 0, False),
            (488, 'task_struct.tgid', 0, False),
        ),
        (
            '0 processes.h:30: static __noinline void follow_joining(struct task_struct *child)\n'
            '8 processes.h:9: return task->pid == task->tgid;\n'
            '24 processes.h:35: if (!is_leader(child))\n'
            '32 processes.h:37: container = find_container(child);\n'
            '56 processes.h:38: if (!container)\n'
            '64 containers.h:32: struct task_state *init = find_state(child->nsproxy->pid_ns_for_children->child_reaper);\n'
            '88 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '144 containers.h:35: if (!init || !init->container)\n'
            '176 containers.h:37: found = bpf_map_lookup_elem(&containers, &init->container);\n'
            '208 containers.h:38: return found && found->reapers ? init->container : 0;\n'
            '264 containers.h:75: struct container *found = bpf_map_lookup_elem(&containers, &number);\n'
            '288 containers.h:77: return found && found->open;\n'
            '296 processes.h:40: if (!is_open(container))\n'
            '304 containers.h:77: return found && found->open;\n'
            '312 processes.h:40: if (!is_open(container))\n'
            '328 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '376 segments.h:126: if (!state)\n'
            '384 segments.h:127: count_lost(lost_tasks);\n'
            '408 processes.h:43: if (!state)\n'
            '424 processes.h:46: state->position = ENTERED;\n'
            '432 processes.h:45: state->container = container;\n'
            '440 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '456 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '480 segments.h:112: state->suspended = is_suspended(task);\n'
            '488 processes.h:48: begin_segment(state, EVENT_JOINED, 0, child->tgid);\n'
            '536 processes.h:49: send_segment(EVENT_JOINED, child, state, 0);\n'
            '576 processes.h:50: }\n'
        ),
    ),
    'follow_stranger': (
        (
            'bf1600000000000085100000ab000000bc070000000000005607030000000000'
            'bf610000000000008510000034030000bc07000000000000637afcff00000000'
            'bfa200000000000007020000fcffffff18010000000000000000000000000000'
            '8500000001000000bf010000000000005501020000000000b700000000000000'
            '0500110000000000b700000000000000611100000000000016010e0000000000'
            'b70800000100000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000001000000850000009c0000005500050000000000'
            '18010000000000000000000000000000db81280000000000b700000000000000'
            '050001000000000063702000000000009500000000000000'
        ),
        ((8, 'find_container'), (40, 'find_container_in_argv')),
        ((80, 'containers', None), (168, 'tasks', None), (224, '.data', 0)),
        (),
        (
            '0 processes.h:112: static __noinline struct task_state *follow_stranger(struct task_struct *task)\n'
            '8 processes.h:114: __u32 container = find_container(task);\n'
            '24 processes.h:117: if (!container)\n'
            '32 processes.h:118: container = find_container_in_argv(task);\n'
            '80 containers.h:75: struct container *found = bpf_map_lookup_elem(&containers, &number);\n'
            '112 containers.h:77: return found && found->open;\n'
            '128 processes.h:122: if (state)\n'
            '144 containers.h:77: return found && found->open;\n'
            '152 processes.h:119: if (!is_open(container))\n'
            '168 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '216 segments.h:126: if (!state)\n'
            '224 segments.h:127: count_lost(lost_tasks);\n'
            '256 processes.h:122: if (state)\n'
            '264 processes.h:123: state->container = container;\n'
            '272 processes.h:125: }\n'
        ),
    ),
    'send_exec': (
        (
            'bf46000000000000633af0ff00000000bf29000000000000bf18000000000000'
            '18010000000000000000000000000000b7020000b0050000b703000000000000'
            '8500000083000000bf070000000000005507050000000000b701000001000000'
            '18020000000000000000000000000000db120800000000000500520000000000'
            '7b6ae8ff00000000bf76000000000000b4010000030000006316000000000000'
            '6181200000000000631604000000000085000000050000007b06080000000000'
            '6191000000000000631610000000000061a1f0ff000000006316140000000000'
            '61910400000000006316180000000000618124000000000063161c0000000000'
            '61912000000000006316200000000000b4010000000000006316240000000000'
            'bf710000000000000701000028000000bf8200000000000085100000d4000000'
            'b70100000000000079a3e8ff000000000f13000000000000b709000000000000'
            '7b9af8ff00000000bfa100000000000007010000f8ffffffb402000008000000'
            '850000007100000079a3f8ff00000000bf7100000000000007010000b0000000'
            'b4020000000100008500000073000000b7010000900000000f18000000000000'
            '7b9af8ff00000000bfa100000000000007010000f8ffffffb402000008000000'
            'bf83000000000000850000007100000079a9f8ff00000000b701000000000000'
            '7b1af8ff00000000b701000000000000bf930000000000000f13000000000000'
            'bfa100000000000007010000f8ffffffb4020000080000008500000071000000'
            '79a8f8ff00000000b7010000000000007b1af8ff00000000b701000008000000'
            '0f19000000000000bfa100000000000007010000f8ffffffb402000008000000'
            'bf93000000000000850000007100000079a9f8ff000000001f89000000000000'
            '6396a80000000000a509010000040000b70900000004000007070000b0010000'
            'bf71000000000000bc92000000000000bf830000000000008500000070000000'
            '1500010000000000b4090000000000006396ac0000000000bf61000000000000'
            'b70200000100000085000000840000009500000000000000'
        ),
        ((312, 'read_facts'),),
        ((32, 'events', None), (96, '.data', 0)),
        (
            (160, 'task_struct.pid', 0, False),
            (240, 'task_struct.tgid', 0, False),
            (320, 'linux_binprm.filename', 0, False),
            (432, 'task_struct.mm', 0, False),
            (520, 'mm_struct.arg_start', 0, False),
            (600, 'mm_struct.arg_end', 0, False),
        ),
        (
            '0 processes.h:96: static __noinline void send_exec(struct task_struct *task, struct task_state *state, __u32 parent,\n'
            '32 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '80 segments.h:28: if (event)\n'
            '96 segments.h:31: count_lost(lost_events);\n'
            '120 processes.h:102: if (!event)\n'
            '152 segments.h:10: event->kind = kind;\n'
            '160 segments.h:11: event->tid = task->pid;\n'
            '176 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '192 segments.h:13: event->segment = state->segment;\n'
            '208 segments.h:14: event->parent = parent;\n'
            '224 segments.h:15: event->slot = state->slot;\n'
            '240 segments.h:16: event->tgid = task->tgid;\n'
            '256 segments.h:17: event->container = state->container;\n'
            '280 segments.h:18: event->reserved = 0;\n'
            '288 processes.h:104: read_facts(&event->facts, task);\n'
            '352 processes.h:105: bpf_probe_read_kernel_str(event->file, sizeof(event->file), READ(bprm->filename));\n'
            '448 processes.h:106: read_argv(event, READ(task->mm));\n'
            '504 processes.h:88: unsigned long begin = READ(mm->arg_start), size = READ(mm->arg_end) - begin;\n'
            '672 processes.h:90: event->args_size = size;\n'
            '680 processes.h:91: if (size > ARGS_MAX)\n'
            '696 processes.h:93: event->args_fit = bpf_probe_read_user(event->args, size, (void *)begin) ? 0 : size;\n'
            '760 processes.h:107: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '784 processes.h:108: }\n'
        ),
    ),
    'find_container_in_argv': (
        (
            'bf18000000000000b701000090000000bf830000000000000f13000000000000'
            'b7060000000000007b6ab0ff00000000bfa100000000000007010000b0ffffff'
            'b402000008000000850000007100000079a7b0ff000000007b6ab0ff00000000'
            'b701000000000000bf730000000000000f13000000000000bfa1000000000000'
            '07010000b0ffffffb402000008000000850000007100000079a9b0ff00000000'
            '7b6ab0ff00000000b7010000080000000f17000000000000bfa1000000000000'
            '07010000b0ffffffb402000008000000bf730000000000008500000071000000'
            'bf93000000000000b40000000000000018010000000000000000000000000000'
            '6111000000000000160146000000000079a2b0ff000000001801000000000000'
            '000000000000000061110000000000007b2aa8ff0000000016011a0000000000'
            'b401000000000000631afcff00000000b7010000000000007b1ab0ff00000000'
            'b7010000480000000f18000000000000bfa100000000000007010000b0ffffff'
            'b402000008000000bf36000000000000bf830000000000008500000071000000'
            'b70100000000000079a3b0ff000000000f13000000000000bfa1000000000000'
            '07010000fcffffffb4020000040000008500000071000000b400000000000000'
            '79a2a8ff00000000bf6300000000000061a1fcff000000005601280000000000'
            '3d2327000000000005000100000000003d23250000000000b401000000000000'
            '631aa0ff00000000b709000000000000b4060000000000000500070000000000'
            'b40000000000000079a1a8ff0000000026061d002e0000000f78000000000000'
            '0406000001000000bf830000000000003d181900000000007b9af0ff00000000'
            '7b9ae8ff000000007b9ae0ff000000007b9ad8ff000000007b9ad0ff00000000'
            '7b9ac8ff000000007b9ac0ff000000007b9ab8ff000000007b9ab0ff00000000'
            'bfa100000000000007010000b0ffffffb402000048000000bf37000000000000'
            '8500000072000000bf08000000000000c508080001000000bfa2000000000000'
            '07020000b0ffffff180100000000000000000000000000008500000001000000'
            '1500e3ff000000006101000000000000631aa0ff0000000061a0a0ff00000000'
            '9500000000000000'
        ),
        (),
        ((240, '.bss', 8), (280, '.bss', 12), (776, 'words', None)),
        (
            (8, 'task_struct.mm', 0, False),
            (96, 'mm_struct.arg_start', 0, False),
            (168, 'mm_struct.arg_end', 0, False),
            (352, 'task_struct.cred', 0, False),
            (416, 'cred.uid.val', 0, False),
        ),
        (
            '0 containers.h:51: static __noinline __u32 find_container_in_argv(struct task_struct *task)\n'
            '40 containers.h:53: struct mm_struct *mm = READ(task->mm);\n'
            '88 containers.h:54: unsigned long position = READ(mm->arg_start), end = READ(mm->arg_end);\n'
            '240 containers.h:56: if (!words_given || !may_name_container(task))\n'
            '280 containers.h:45: return !words_of_root || READ(READ(task->cred)->uid.val) == 0;\n'
            '504 containers.h:56: if (!words_given || !may_name_container(task))\n'
            '528 containers.h:58: for (int i = 0; i < MAX_WORDS && position < end; i++) {\n'
            '632 containers.h:59: struct word word = {};\n'
            '720 containers.h:60: long length = bpf_probe_read_user_str(&word, WORD_SIZE, (void *)position);\n'
            '752 containers.h:63: if (length <= 0)\n'
            '776 containers.h:65: number = bpf_map_lookup_elem(&words, &word);\n'
            '800 containers.h:66: if (number)\n'
            '808 containers.h:67: return *number;\n'
            '832 containers.h:71: }\n'
        ),
    ),
    'send_exit': (
        (
            'bf27000000000000bf1600000000000061790000000000001801000000000000'
            '0000000000000000b702000030000000b7030000000000008500000083000000'
            '5500050000000000b70100000100000018020000000000000000000000000000'
            'db120800000000000500180000000000b4010000060000006310000000000000'
            '61612000000000006310040000000000bf080000000000008500000005000000'
            '7b08080000000000617100000000000063181000000000006398140000000000'
            '61710400000000006318180000000000616124000000000063181c0000000000'
            '61712000000000006318200000000000b4010000000000006318240000000000'
            '616214000000000063182c00000000006328280000000000bf81000000000000'
            'b70200000100000085000000840000009500000000000000'
        ),
        (),
        ((24, 'events', None), (80, '.data', 0)),
        (
            (128, 'task_struct.pid', 0, False),
            (208, 'task_struct.tgid', 0, False),
            (256, 'task_struct.exit_code', 0, False),
        ),
        (
            '0 processes.h:157: static __noinline void send_exit(struct task_struct *task, struct task_state *state)\n'
            '16 processes.h:161: event = reserve_event(sizeof(*event), EVENT_EXIT, task, state, state->segment);\n'
            '24 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '64 segments.h:28: if (event)\n'
            '80 segments.h:31: count_lost(lost_events);\n'
            '104 processes.h:162: if (!event)\n'
            '120 segments.h:10: event->kind = kind;\n'
            '128 segments.h:11: event->tid = task->pid;\n'
            '152 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '168 segments.h:13: event->segment = state->segment;\n'
            '184 segments.h:14: event->parent = parent;\n'
            '192 segments.h:15: event->slot = state->slot;\n'
            '208 segments.h:16: event->tgid = task->tgid;\n'
            '224 segments.h:17: event->container = state->container;\n'
            '248 segments.h:18: event->reserved = 0;\n'
            '256 processes.h:164: event->code = task->exit_code;\n'
            '264 processes.h:165: event->reserved = 0;\n'
            '272 processes.h:164: event->code = task->exit_code;\n'
            '280 processes.h:166: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '304 processes.h:167: }\n'
        ),
    ),
    'is_injected': (
        (
            '61111000000000001601050000000000b4000000010000007931f80000000000'
            '04010000fcffffff61231800000000001e31020000000000b400000000000000'
            '63021800000000009500000000000000'
        ),
        (),
        (),
        ((0, 'task_struct.ptrace', 0, False), (24, 'pt_regs.pc', 0, False)),
        (
            '0 syscalls.h:22: if (task->ptrace && program_counter(regs) - ENTER_LENGTH == state->first)\n'
            '24 registers.h:88: return regs->pc;\n'
            '32 syscalls.h:22: if (task->ptrace && program_counter(regs) - ENTER_LENGTH == state->first)\n'
            '64 syscalls.h:24: state->first = 0;\n'
            '72 syscalls.h:26: }\n'
        ),
    ),
    'count_rare': (
        (
            '6111000000000000b404000000000000634af4ff00000000633af0ff00000000'
            '632aecff00000000631ae8ff00000000b7060000010000007b6af8ff00000000'
            'bfa200000000000007020000e8ffffff18010000000000000000000000000000'
            '850000000100000055000f0000000000bfa200000000000007020000e8ffffff'
            'bfa300000000000007030000f8ffffff18010000000000000000000000000000'
            'b70400000100000085000000020000001500070000000000bfa2000000000000'
            '07020000e8ffffff180100000000000000000000000000008500000001000000'
            '1500020000000000db600000000000009500000000000000b701000001000000'
            '18020000000000000000000000000000db121800000000000500faff00000000'
        ),
        (),
        ((80, 'rare', None), (144, 'rare', None), (200, 'rare', None), (256, '.data', 0)),
        (),
        (
            '0 syscalls.h:9: struct rare_key key = { .segment = state->segment, .number = number, .mode = mode };\n'
            '56 segments.h:175: __u64 one = 1, *count = bpf_map_lookup_elem(map, key);\n'
            '104 segments.h:177: if (!count) {\n'
            '144 segments.h:178: if (bpf_map_update_elem(map, key, &one, BPF_NOEXIST) == 0)\n'
            '200 segments.h:180: count = bpf_map_lookup_elem(map, key);\n'
            '224 segments.h:181: if (!count)\n'
            '232 segments.h:184: atomic_add(count, 1);\n'
            '240 syscalls.h:13: }\n'
            '256 syscalls.h:12: count_lost(lost_rare);\n'
        ),
    ),
    'keep_arguments': (
        (
            'bc57000000000000bf490000000000007b3ae8ff00000000bf26000000000000'
            '7b1ae0ff00000000bc7100000000000018020000000000000000000000000000'
            '0f120000000000007128000000000000bc810000000000005401000001000000'
            '16010500000000007994000100000000bf61000000000000bc72000000000000'
            'b4030000000000008510000034ffffffbc810000000000005401000002000000'
            '16010500000000007994080000000000bf61000000000000bc72000000000000'
            'b403000001000000851000002cffffffbc810000000000005401000004000000'
            '16010500000000007994100000000000bf61000000000000bc72000000000000'
            'b4030000020000008510000024ffffffbc810000000000005401000008000000'
            '16010500000000007994180000000000bf61000000000000bc72000000000000'
            'b403000003000000851000001cffffffbc810000000000005401000010000000'
            '16011000000000007993000100000000bfa100000000000007010000f0ffffff'
            'b40200000800000085000000700000001500050000000000b701000001000000'
            '18020000000000000000000000000000db122000000000000500050000000000'
            '79a4f0ff00000000bf61000000000000bc72000000000000b403000000000000'
            '8510000009ffffffbc81000000000000540100002000000016010c0000000000'
            '7993080000000000b4010000000000006b1afeff00000000bfa1000000000000'
            '07010000feffffffb402000002000000850000007000000069a1feff00000000'
            '5601030001000000b40100004000000079a2e8ff000000006312140000000000'
            '5408000040000000160834000000000079971000000000007992080000000000'
            '79a1e8ff00000000611114000000000016012f00000000007b2ad8ff00000000'
            '04010000ffffffff79a2e8ff0000000063121400000000006169000000000000'
            '18010000000000000000000000000000b702000030020000b703000000000000'
            '8500000083000000bf080000000000005508050000000000b701000001000000'
            '18020000000000000000000000000000db1208000000000005001e0000000000'
            'b401000008000000631800000000000079a1e0ff000000006111200000000000'
            '6318040000000000a507010000020000b7070000000200008500000005000000'
            '7b08080000000000616100000000000063181000000000006398140000000000'
            '6161040000000000631818000000000079a1e0ff000000006111240000000000'
            '63181c000000000061612000000000006318200000000000b401000000000000'
            '63182400000000006378280000000000bf810000000000000701000030000000'
            'bc7200000000000079a3d8ff000000008500000070000000bf81000000000000'
            'b70200000100000085000000840000009500000000000000'
        ),
        (
            (136, 'count_argument'),
            (200, 'count_argument'),
            (264, 'count_argument'),
            (328, 'count_argument'),
            (480, 'count_argument'),
        ),
        ((48, '.rodata', 0), (416, '.data', 0), (704, 'events', None), (768, '.data', 0)),
        (
            (104, 'pt_regs.orig_x0', 0, False),
            (168, 'pt_regs.regs', 8, False),
            (232, 'pt_regs.regs', 16, False),
            (296, 'pt_regs.regs', 24, False),
            (360, 'pt_regs.orig_x0', 0, False),
            (512, 'pt_regs.regs', 8, False),
            (624, 'pt_regs.regs', 16, False),
            (632, 'pt_regs.regs', 8, False),
            (824, 'task_struct.pid', 0, False),
            (920, 'task_struct.tgid', 0, False),
        ),
        (
            '0 arguments.h:77: static __noinline void keep_arguments(struct task_struct *task, struct task_state *state,\n'
            '40 arguments.h:80: __u32 spec = argument_specs[number & (NUMBERS - 1)];\n'
            '80 arguments.h:82: if (spec & KEEP_ARG0)\n'
            '104 registers.h:101: static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->orig_x0; }\n'
            '112 arguments.h:83: count_argument(state, number, 0, argument0(regs));\n'
            '144 arguments.h:84: if (spec & KEEP_ARG1)\n'
            '168 registers.h:102: static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->regs[1]; }\n'
            '176 arguments.h:85: count_argument(state, number, 1, argument1(regs));\n'
            '208 arguments.h:86: if (spec & KEEP_ARG2)\n'
            '232 registers.h:103: static __always_inline __u64 argument2(struct pt_regs *regs) { return regs->regs[2]; }\n'
            '240 arguments.h:87: count_argument(state, number, 2, argument2(regs));\n'
            '272 arguments.h:88: if (spec & KEEP_ARG3)\n'
            '296 registers.h:104: static __always_inline __u64 argument3(struct pt_regs *regs) { return regs->regs[3]; }\n'
            '304 arguments.h:89: count_argument(state, number, 3, argument3(regs));\n'
            '336 arguments.h:90: if (spec & KEEP_FLAGS_BEHIND_ARG0)\n'
            '360 registers.h:101: static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->orig_x0; }\n'
            '384 arguments.h:24: if (bpf_probe_read_user(&flags, sizeof(flags), (void *)address))\n'
            '416 arguments.h:25: count_lost(lost_arguments);\n'
            '448 arguments.h:27: count_argument(state, number, 0, flags);\n'
            '488 arguments.h:92: if (spec & IS_CONNECT)\n'
            '512 registers.h:102: static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->regs[1]; }\n'
            '528 arguments.h:35: __u16 family = 0;\n'
            '552 arguments.h:37: bpf_probe_read_user(&family, sizeof(family), (void *)address);\n'
            '568 arguments.h:38: if (family == AF_UNIX)\n'
            '592 arguments.h:39: slot->write_budget = WRITE_BUDGET;\n'
            '608 arguments.h:94: if (spec & IS_WRITE)\n'
            '624 registers.h:103: static __always_inline __u64 argument2(struct pt_regs *regs) { return regs->regs[2]; }\n'
            '632 registers.h:102: static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->regs[1]; }\n'
            '640 arguments.h:47: if (!slot->write_budget)\n'
            '672 arguments.h:49: slot->write_budget--;\n'
            '696 arguments.h:50: event = reserve_event(sizeof(*event), EVENT_SOCKET_WRITE, task, state, state->segment);\n'
            '704 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '752 segments.h:28: if (event)\n'
            '768 segments.h:31: count_lost(lost_events);\n'
            '792 arguments.h:51: if (!event)\n'
            '808 segments.h:10: event->kind = kind;\n'
            '816 segments.h:11: event->tid = task->pid;\n'
            '840 arguments.h:53: if (length > TEXT_SIZE)\n'
            '856 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '872 segments.h:13: event->segment = state->segment;\n'
            '888 segments.h:14: event->parent = parent;\n'
            '896 segments.h:15: event->slot = state->slot;\n'
            '912 segments.h:16: event->tgid = task->tgid;\n'
            '936 segments.h:17: event->container = state->container;\n'
            '960 segments.h:18: event->reserved = 0;\n'
            '968 arguments.h:55: event->length = length;\n'
            '976 arguments.h:56: bpf_probe_read_user(event->text, length, (void *)address);\n'
            '1016 arguments.h:57: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '1040 arguments.h:96: }\n'
        ),
    ),
    'send_suspension': (
        (
            'bf26000000000000bf1700000000000061690000000000001801000000000000'
            '0000000000000000b702000030000000b7030000000000008500000083000000'
            '5500050000000000b70100000100000018020000000000000000000000000000'
            'db120800000000000500170000000000b4010000070000006310000000000000'
            '61712000000000006310040000000000bf080000000000008500000005000000'
            '7b08080000000000616100000000000063181000000000006398140000000000'
            '61610400000000006318180000000000617124000000000063181c0000000000'
            '61612000000000006318200000000000b4010000000000006318240000000000'
            '61611000000000006318280000000000bf81000000000000b702000001000000'
            '85000000840000009500000000000000'
        ),
        (),
        ((24, 'events', None), (80, '.data', 0)),
        ((128, 'task_struct.pid', 0, False), (208, 'task_struct.tgid', 0, False)),
        (
            '0 segments.h:131: static __noinline void send_suspension(struct task_struct *task, struct task_state *state)\n'
            '16 segments.h:135: event = reserve_event(sizeof(*event), EVENT_SUSPENSION, task, state, state->segment);\n'
            '24 segments.h:26: struct event *event = bpf_ringbuf_reserve(&events, size, 0);\n'
            '64 segments.h:28: if (event)\n'
            '80 segments.h:31: count_lost(lost_events);\n'
            '104 segments.h:136: if (!event)\n'
            '120 segments.h:10: event->kind = kind;\n'
            '128 segments.h:11: event->tid = task->pid;\n'
            '152 segments.h:12: event->time = bpf_ktime_get_ns();\n'
            '168 segments.h:13: event->segment = state->segment;\n'
            '184 segments.h:14: event->parent = parent;\n'
            '192 segments.h:15: event->slot = state->slot;\n'
            '208 segments.h:16: event->tgid = task->tgid;\n'
            '224 segments.h:17: event->container = state->container;\n'
            '248 segments.h:18: event->reserved = 0;\n'
            '256 segments.h:138: event->suspended = state->suspended;\n'
            '272 segments.h:139: bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);\n'
            '296 segments.h:140: }\n'
        ),
    ),
    'count_argument': (
        (
            '61110000000000007b4af0ff000000006b3aeeff000000006b2aecff00000000'
            '631ae8ff00000000b7060000010000007b6af8ff00000000bfa2000000000000'
            '07020000e8ffffff180100000000000000000000000000008500000001000000'
            '55000f0000000000bfa200000000000007020000e8ffffffbfa3000000000000'
            '07030000f8ffffff18010000000000000000000000000000b704000001000000'
            '85000000020000001500070000000000bfa200000000000007020000e8ffffff'
            '1801000000000000000000000000000085000000010000001500020000000000'
            'db600000000000009500000000000000b7010000010000001802000000000000'
            '0000000000000000db122000000000000500faff00000000'
        ),
        (),
        (
            (72, 'arguments', None),
            (136, 'arguments', None),
            (192, 'arguments', None),
            (248, '.data', 0),
        ),
        (),
        (
            '0 arguments.h:13: .segment = state->segment, .number = number, .index = index, .value = value,\n'
            '8 arguments.h:12: struct argument_key key = {\n'
            '48 segments.h:175: __u64 one = 1, *count = bpf_map_lookup_elem(map, key);\n'
            '96 segments.h:177: if (!count) {\n'
            '136 segments.h:178: if (bpf_map_update_elem(map, key, &one, BPF_NOEXIST) == 0)\n'
            '192 segments.h:180: count = bpf_map_lookup_elem(map, key);\n'
            '216 segments.h:181: if (!count)\n'
            '224 segments.h:184: atomic_add(count, 1);\n'
            '232 arguments.h:18: }\n'
            '248 arguments.h:17: count_lost(lost_arguments);\n'
        ),
    ),
    'adopt_container': (
        (
            '79160800000000001506d7000000000061610c00000000005401000004000000'
            '5601d4000000000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000000000000850000009c0000005500cd0000000000'
            '6161080000000000540100000008000016011300000000007962380000000000'
            '18010000000000000000000000000000b703000000000000b704000000000000'
            '850000009c000000180800000000000000000000000000000708000040000000'
            '5500be0000000000796130000000000079123800000000001801000000000000'
            '0000000000000000b703000000000000b704000000000000850000009c000000'
            '1500b800000000000500b5000000000061612400000000006162200000000000'
            '5e12530000000000850000009e000000bf07000000000000b709000040000000'
            'bf630000000000000f93000000000000b7010000000000007b1af8ff00000000'
            'b708000000000000bfa100000000000007010000f8ffffffb402000008000000'
            '85000000710000000f9700000000000079a9f8ff00000000b401000000000000'
            '631af4ff000000007b8af8ff00000000bfa100000000000007010000f8ffffff'
            'b402000008000000bf730000000000008500000071000000b701000000000000'
            '79a3f8ff000000000f13000000000000bfa100000000000007010000f4ffffff'
            'b4020000040000008500000071000000b7010000080000000f19000000000000'
            'b70700001000000061a1f4ff00000000540100001f0000002f17000000000000'
            '0f97000000000000b401000000000000631af0ff00000000631af8ff00000000'
            'b701000000000000bf730000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000004000000850000007100000061a8f8ff00000000'
            'b7010000000000007b1af8ff00000000b7010000080000000f17000000000000'
            'bfa100000000000007010000f8ffffffb402000008000000bf73000000000000'
            '8500000071000000180100000000000000000000000000006113000000000000'
            'b409000001000000b402000001000000638ae8ff000000001e83010000000000'
            'b4020000000000005603010000000000b4090000000000005c29000000000000'
            '6112040000000000bc9100000000000054010000010000005601420000000000'
            '7961300000000000791238000000000018010000000000000000000000000000'
            'b703000000000000b704000000000000850000009c0000001500360000000000'
            '61022000000000006101000000000000631af0ff000000000500360000000000'
            '796238000000000018010000000000000000000000000000b703000000000000'
            'b704000000000000850000009c000000bf070000000000001507590000000000'
            '18010000000000000000000000000000bf62000000000000b703000000000000'
            'b704000001000000850000009c00000018090000000000000000000000000000'
            '18080000000000000000000000000000070800002800000015004b0000000000'
            '6171000000000000631000000000000061710400000000006310040000000000'
            '6171200000000000631020000000000061618400000000006310080000000000'
            '6161100000000000b40200000300000063200c00000000007401000018000000'
            '54010000010000006310100000000000bf61000000000000bf06000000000000'
            '85000000af000000610108010000000063161400000000000706000004000000'
            '18010000000000000000000000000000bf620000000000008500000001000000'
            '0709000038000000bf980000000000001500300000000000b401000001000000'
            'c31010000000000005002a0000000000bf610000000000008510000005030000'
            'bc0200000000000016022b000000000018010000000000000000000000000000'
            'bc27000000000000bf62000000000000b703000000000000b704000001000000'
            '850000009c000000bc71000000000000bf070000000000001808000000000000'
            '0000000000000000070800002800000015071c00000000006317200000000000'
            '616184000000000063170800000000006161100000000000b402000003000000'
            '63270c0000000000740100001800000054010000010000006317100000000000'
            'bf6100000000000085000000af00000061010801000000006317140000000000'
            '6164240000000000bf71000000000000b40200000a00000061a8f0ff00000000'
            'bc8300000000000085100000b4010000bf61000000000000bf72000000000000'
            'bc8300000000000061a4e8ff00000000bc950000000000008510000048030000'
            '180800000000000000000000000000000708000038000000b701000001000000'
            'db18000000000000b4000000000000009500000000000000'
        ),
        ((1368, 'find_container'), (1640, 'begin_segment'), (1688, 'send_member')),
        (
            (40, 'tasks', None),
            (128, 'tasks', None),
            (168, '.data', 0),
            (216, 'tasks', None),
            (744, '.bss', 0),
            (880, 'tasks', None),
            (968, 'tasks', None),
            (1024, 'tasks', None),
            (1072, '.data', 0),
            (1088, '.data', 0),
            (1280, 'slots', None),
            (1392, 'tasks', None),
            (1464, '.data', 0),
            (1696, '.data', 0),
        ),
        (
            (0, 'bpf_iter__task.task', 0, False),
            (16, 'task_struct.flags', 0, False),
            (96, 'task_struct.__state', 0, False),
            (120, 'task_struct.group_leader', 0, False),
            (200, 'task_struct.real_parent', 0, False),
            (208, 'task_struct.group_leader', 0, False),
            (272, 'task_struct.tgid', 0, False),
            (280, 'task_struct.pid', 0, False),
            (312, 'task_struct.thread_pid', 0, False),
            (472, 'pid.level', 0, False),
            (528, 'pid.numbers', 0, False),
            (544, 'upid', 0, False),
            (608, 'upid.nr', 0, False),
            (688, 'upid.ns', 0, False),
            (864, 'task_struct.real_parent', 0, False),
            (872, 'task_struct.group_leader', 0, False),
            (960, 'task_struct.group_leader', 0, False),
            (1168, 'task_struct.seccomp.filter_count.counter', 0, False),
            (1184, 'task_struct.ptrace', 0, False),
            (1256, 'pt_regs.syscallno', 0, False),
            (1504, 'task_struct.seccomp.filter_count.counter', 0, False),
            (1520, 'task_struct.ptrace', 0, False),
            (1584, 'pt_regs.syscallno', 0, False),
            (1600, 'task_struct.tgid', 0, False),
        ),
        (
            '0 adoption.h:117: struct task_struct *task = ctx->task;\n'
            '8 adoption.h:119: if (!task || !is_new(task)) /* null: the call after the last task */\n'
            '16 adoption.h:36: if (task->flags & PF_EXITING || find_state(task))\n'
            '40 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '88 adoption.h:36: if (task->flags & PF_EXITING || find_state(task))\n'
            '96 adoption.h:38: if (!(task->__state & TASK_NEW))\n'
            '120 adoption.h:40: if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))\n'
            '128 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '192 adoption.h:40: if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))\n'
            '216 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '256 adoption.h:40: if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))\n'
            '272 adoption.h:121: if (task->pid == task->tgid)\n'
            '296 adoption.h:48: struct task_struct *recorder = bpf_get_current_task_btf();\n'
            '344 adoption.h:50: return read_upid(READ(task->thread_pid), READ(READ(recorder->thread_pid)->level)).nr;\n'
            '560 task.h:25: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '592 task.h:26: found.nr = READ(((struct upid *)entry)->nr);\n'
            '672 task.h:27: found.ns = READ(((struct upid *)entry)->ns);\n'
            '744 adoption.h:89: int by_pid = adoption.process && adoption.process == seen_pid;\n'
            '832 adoption.h:90: __u32 container = adoption.container;\n'
            '840 adoption.h:93: if (!by_pid) {\n'
            '864 adoption.h:94: struct task_state *parent = find_state(task->real_parent->group_leader);\n'
            '880 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '920 adoption.h:96: if (parent)\n'
            '928 adoption.h:98: container = parent ? parent->container : find_container(task);\n'
            '936 adoption.h:97: parent_segment = parent->segment;\n'
            '960 adoption.h:56: struct task_state *leader = find_state(task->group_leader), *state;\n'
            '968 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '1016 adoption.h:58: if (!leader)\n'
            '1024 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '1112 segments.h:126: if (!state)\n'
            '1120 adoption.h:63: state->segment = leader->segment;\n'
            '1136 adoption.h:64: state->slot = leader->slot;\n'
            '1152 adoption.h:65: state->container = leader->container;\n'
            '1168 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '1184 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '1200 adoption.h:24: state->position = FOUND;\n'
            '1208 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '1224 segments.h:112: state->suspended = is_suspended(task);\n'
            '1232 adoption.h:25: state->number = call_number(bpf_task_pt_regs(task));\n'
            '1256 registers.h:78: return regs->syscallno;\n'
            '1264 adoption.h:25: state->number = call_number(bpf_task_pt_regs(task));\n'
            '1272 adoption.h:64: state->slot = leader->slot;\n'
            '1280 segments.h:74: struct slot *slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '1328 segments.h:76: if (slot)\n'
            '1344 segments.h:77: atomic_add(&slot->tasks, 1);\n'
            '1360 adoption.h:98: container = parent ? parent->container : find_container(task);\n'
            '1392 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '1488 segments.h:126: if (!state)\n'
            '1496 adoption.h:105: state->container = container;\n'
            '1504 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '1520 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '1536 adoption.h:24: state->position = FOUND;\n'
            '1544 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '1560 segments.h:112: state->suspended = is_suspended(task);\n'
            '1568 adoption.h:25: state->number = call_number(bpf_task_pt_regs(task));\n'
            '1584 registers.h:78: return regs->syscallno;\n'
            '1592 adoption.h:25: state->number = call_number(bpf_task_pt_regs(task));\n'
            '1600 adoption.h:108: begin_segment(state, EVENT_MEMBER, parent_segment, task->tgid);\n'
            '1648 adoption.h:109: send_member(task, state, parent_segment, seen_pid, by_pid);\n'
            '1736 adoption.h:126: }\n'
        ),
    ),
    'release_containers': (
        (
            '791608000000000015061c000000000061610c00000000005401000004000000'
            '560119000000000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000000000000850000009c000000bf07000000000000'
            '15071100000000006171200000000000631afcff000000005601010000000000'
            '05000d0000000000bfa200000000000007020000fcffffff1801000000000000'
            '000000000000000085000000010000005500070000000000bf61000000000000'
            'bf7200000000000085100000ffffffff18010000000000000000000000000000'
            'bf62000000000000850000009d000000b4000000000000009500000000000000'
        ),
        ((200, 'leave_segment'),),
        ((40, 'tasks', None), (152, 'containers', None), (208, 'tasks', None)),
        ((0, 'bpf_iter__task.task', 0, False), (16, 'task_struct.flags', 0, False)),
        (
            '0 adoption.h:132: struct task_struct *task = ctx->task;\n'
            '8 adoption.h:135: if (!task || task->flags & PF_EXITING) /* that one leaves by itself */\n'
            '40 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '96 adoption.h:138: if (!state || !has_ended(state->container))\n'
            '120 containers.h:83: return number && !bpf_map_lookup_elem(&containers, &number);\n'
            '128 adoption.h:138: if (!state || !has_ended(state->container))\n'
            '152 containers.h:83: return number && !bpf_map_lookup_elem(&containers, &number);\n'
            '176 adoption.h:138: if (!state || !has_ended(state->container))\n'
            '184 adoption.h:140: leave_segment(task, state);\n'
            '208 adoption.h:141: bpf_task_storage_delete(&tasks, task);\n'
            '240 adoption.h:143: }\n'
        ),
    ),
    'adopt_daemons': (
        (
            '7916080000000000150654000000000061610c00000000005401000004000000'
            '560151000000000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000000000000850000009c00000055004a0000000000'
            '6161080000000000540100000008000016011300000000007962380000000000'
            '18010000000000000000000000000000b703000000000000b704000000000000'
            '850000009c000000180900000000000000000000000000000709000040000000'
            '55003b0000000000796130000000000079123800000000001801000000000000'
            '0000000000000000b703000000000000b704000000000000850000009c000000'
            '150035000000000005003200000000006161240000000000631afcff00000000'
            'bfa200000000000007020000fcffffff18010000000000000000000000000000'
            '8500000001000000bf0700000000000015072b00000000001801000000000000'
            '0000000000000000bf62000000000000b703000000000000b704000001000000'
            '850000009c000000180800000000000000000000000000001809000000000000'
            '0000000000000000070900002800000015001d00000000006171000000000000'
            '6310000000000000631004000000000061618400000000006310080000000000'
            '6161100000000000b40200000300000063200c00000000007401000018000000'
            '54010000010000006310100000000000bf61000000000000bf06000000000000'
            '85000000af000000610108010000000063161400000000000706000004000000'
            '18010000000000000000000000000000bf620000000000008500000001000000'
            '0708000038000000bf890000000000001500050000000000b401000001000000'
            'c310100000000000180900000000000000000000000000000709000038000000'
            'b701000001000000db19000000000000b4000000000000009500000000000000'
        ),
        (),
        (
            (40, 'tasks', None),
            (128, 'tasks', None),
            (168, '.data', 0),
            (216, 'tasks', None),
            (304, 'daemons', None),
            (344, 'tasks', None),
            (392, '.data', 0),
            (408, '.data', 0),
            (576, 'slots', None),
            (648, '.data', 0),
        ),
        (
            (0, 'bpf_iter__task.task', 0, False),
            (16, 'task_struct.flags', 0, False),
            (96, 'task_struct.__state', 0, False),
            (120, 'task_struct.group_leader', 0, False),
            (200, 'task_struct.real_parent', 0, False),
            (208, 'task_struct.group_leader', 0, False),
            (272, 'task_struct.tgid', 0, False),
            (464, 'task_struct.seccomp.filter_count.counter', 0, False),
            (480, 'task_struct.ptrace', 0, False),
            (552, 'pt_regs.syscallno', 0, False),
        ),
        (
            '0 adoption.h:149: struct task_struct *task = ctx->task;\n'
            '8 adoption.h:153: if (!task || !is_new(task))\n'
            '16 adoption.h:36: if (task->flags & PF_EXITING || find_state(task))\n'
            '40 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '88 adoption.h:36: if (task->flags & PF_EXITING || find_state(task))\n'
            '96 adoption.h:38: if (!(task->__state & TASK_NEW))\n'
            '120 adoption.h:40: if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))\n'
            '128 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '192 adoption.h:40: if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))\n'
            '216 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '256 adoption.h:40: if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))\n'
            '272 adoption.h:155: tgid = task->tgid;\n'
            '304 adoption.h:156: number = bpf_map_lookup_elem(&daemons, &tgid);\n'
            '336 adoption.h:157: if (!number)\n'
            '344 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '432 segments.h:126: if (!state)\n'
            '440 adoption.h:162: state->segment = state->slot = *number;\n'
            '464 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '480 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '496 adoption.h:24: state->position = FOUND;\n'
            '504 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '520 segments.h:112: state->suspended = is_suspended(task);\n'
            '528 adoption.h:25: state->number = call_number(bpf_task_pt_regs(task));\n'
            '552 registers.h:78: return regs->syscallno;\n'
            '560 adoption.h:25: state->number = call_number(bpf_task_pt_regs(task));\n'
            '568 adoption.h:162: state->segment = state->slot = *number;\n'
            '576 segments.h:74: struct slot *slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '624 segments.h:76: if (slot)\n'
            '640 segments.h:77: atomic_add(&slot->tasks, 1);\n'
            '688 adoption.h:168: }\n'
        ),
    ),
    'find_denial_after_check': (
        (
            'b7020000000000007b2af8ff00000000bfa200000000000007020000f8ffffff'
            '85000000b800000079a1f8ff0000000056012500ffffffff850000009e000000'
            'bf0600000000000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000000000000850000009c000000bf07000000000000'
            '15071b0000000000616110000000000016010300000000007961780000000000'
            '5701000000010000550116000000000061618400000000006172080000000000'
            '5e12050000000000617110000000000061621000000000007402000018000000'
            '54020000010000001e21030000000000bf61000000000000bf72000000000000'
            '85100000be04000061618000000000005601020003000000b401000001000000'
            '63171c0000000000bf6100000000000085000000af0000007904000000000000'
            'bf61000000000000bf72000000000000bf030000000000008510000032000000'
            'b4000000000000009500000000000000'
        ),
        ((256, 'update_seccomp'), (344, 'count_denial')),
        ((72, 'tasks', None),),
        (
            (136, 'task_struct.ptrace', 0, False),
            (152, 'task_struct.pending.signal.sig', 0, False),
            (176, 'task_struct.seccomp.filter_count.counter', 0, False),
            (208, 'task_struct.ptrace', 0, False),
            (264, 'task_struct.seccomp.mode', 0, False),
            (312, 'pt_regs.regs', 0, False),
        ),
        (
            '0 denials.h:81: int find_denial_after_check(__u64 *ctx)\n'
            '8 denials.h:86: __u64 skip = 0;\n'
            '32 denials.h:88: bpf_get_func_ret(ctx, &skip);\n'
            '40 denials.h:89: if ((__s32)skip != -1)\n'
            '56 denials.h:91: task = bpf_get_current_task_btf();\n'
            '72 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '128 denials.h:93: if (!state || is_killed_tracee(task))\n'
            '136 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '160 denials.h:93: if (!state || is_killed_tracee(task))\n'
            '176 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '200 segments.h:168: state->suspended != is_suspended(task))\n'
            '208 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '232 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '240 segments.h:169: update_seccomp(task, state);\n'
            '264 denials.h:96: if (task->seccomp.mode == SECCOMP_MODE_DEAD)\n'
            '288 denials.h:97: state->killed = 1;\n'
            '296 denials.h:98: regs = bpf_task_pt_regs(task);\n'
            '312 registers.h:98: return regs->regs[0];\n'
            '320 denials.h:99: count_denial(task, state, regs, call_result(regs));\n'
            '352 denials.h:101: }\n'
        ),
    ),
    'find_denial_at_exit': (
        (
            'bf1700000000000079710000000000007b1af8ff00000000850000009e000000'
            'bf080000000000006181800000000000c6012f00020000001801000000000000'
            '0000000000000000bf82000000000000b703000000000000b704000000000000'
            '850000009c000000bf0900000000000015092700000000006181840000000000'
            '61960800000000005e1605000000000061811000000000007401000018000000'
            '540100000100000061921000000000001e12030000000000bf81000000000000'
            'bf9200000000000085100000be04000061910c0000000000b402000000000000'
            '63290c0000000000560102000100000061920800000000001e26160000000000'
            '1601050000000000160104000200000079a1f8ff000000006111080100000000'
            '61921400000000001e21100000000000b40100000200000063190c0000000000'
            '6181100000000000160103000000000079817800000000005701000000010000'
            '550109000000000061818000000000005601020003000000b401000001000000'
            '63191c00000000007974080000000000bf81000000000000bf92000000000000'
            '79a3f8ff000000008510000032000000b4000000000000009500000000000000'
        ),
        ((200, 'update_seccomp'), (424, 'count_denial')),
        ((56, 'tasks', None),),
        (
            (40, 'task_struct.seccomp.mode', 0, False),
            (120, 'task_struct.seccomp.filter_count.counter', 0, False),
            (144, 'task_struct.ptrace', 0, False),
            (280, 'pt_regs.syscallno', 0, False),
            (320, 'task_struct.ptrace', 0, False),
            (336, 'task_struct.pending.signal.sig', 0, False),
            (360, 'task_struct.seccomp.mode', 0, False),
        ),
        (
            '0 denials.h:104: int find_denial_at_exit(__u64 *ctx)\n'
            '8 denials.h:106: struct pt_regs *regs = (void *)ctx[0];\n'
            '16 denials.h:107: struct task_struct *task = bpf_get_current_task_btf();\n'
            '40 denials.h:111: if (task->seccomp.mode < SECCOMP_MODE_FILTER)\n'
            '56 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '112 denials.h:114: if (!state)\n'
            '120 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '128 denials.h:116: filters = state->filters;\n'
            '136 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '144 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '168 segments.h:168: state->suspended != is_suspended(task))\n'
            '176 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '184 segments.h:169: update_seccomp(task, state);\n'
            '208 denials.h:118: position = state->position;\n'
            '224 denials.h:119: state->position = OUTSIDE;\n'
            '232 denials.h:71: if (position == ENTERED && filters_before == state->filters)\n'
            '256 denials.h:73: if (position == REFUSED || position == OUTSIDE)\n'
            '272 registers.h:78: return regs->syscallno;\n'
            '288 denials.h:75: return call_number(regs) == state->number;\n'
            '296 denials.h:120: if (ends_last_call(state, regs, position, filters))\n'
            '312 denials.h:122: state->position = REFUSED;\n'
            '320 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '344 denials.h:123: if (is_killed_tracee(task))\n'
            '360 denials.h:125: if (task->seccomp.mode == SECCOMP_MODE_DEAD)\n'
            '384 denials.h:126: state->killed = 1;\n'
            '392 denials.h:127: count_denial(task, state, regs, ctx[1]);\n'
            '432 denials.h:129: }\n'
        ),
    ),
    'observe_exit': (
        (
            'bf180000000000007986000000000000850000009e000000bf09000000000000'
            '18010000000000000000000000000000bf92000000000000b703000000000000'
            'b704000000000000850000009c000000bf070000000000001507b20000000000'
            '79880800000000007b6ae0ff0000000085000000050000007b8af0ff00000000'
            '7b0ac8ff000000007b0ae8ff000000007b6ac0ff000000006162080100000000'
            '632af8ff00000000799600000000000074060000160000005406000001000000'
            '636afcff00000000619180000000000056010200030000004406000004000000'
            '636afcff000000007b2ad8ff000000007b9ad0ff000000007991780000000000'
            '570100000000004015010200000000004406000008000000636afcff00000000'
            'bf79000000000000070900000400000018010000000000000000000000000000'
            'bf92000000000000850000000100000079a2d8ff0000000015000e0000000000'
            'b401000001000000c310000001000000540100003f0000002701000018000000'
            '0f100000000000007b80180000000000632010000000000079a1c8ff00000000'
            '7b1008000000000061710c000000000064010000100000005401000000000200'
            '4c6100000000000063101400000000005602300040000000c5082f0001000000'
            'bc61000000000000540100000100000056012c000000000079a1c0ff00000000'
            '7911000100000000560129000100000018010000000000000000000000000000'
            'bf92000000000000850000000100000079a2d8ff000000001500230000000000'
            'bf830000000000000703000001ffffffb402000001000000b404000001000000'
            '2d83010000000000b404000000000000b7010000000000005604010000000000'
            'bf3100000000000079a3c0ff000000007933080000000000c320000001000000'
            '540200000300000027020000100100000f20000000000000b7040000ff000000'
            'bf82000000000000a5080100ff000000b7020000ff0000006320100000000000'
            '7b0ab8ff0000000079a5c8ff0000000079a0b8ff000000007b50080000000000'
            '5f420000000000000f1300000000000079a1b8ff000000000701000018000000'
            '850000007000000079a3b8ff0000000079a2d8ff000000001500030000000000'
            '0703000008000000b4010000000000006313080000000000a5083f007bffffff'
            '180100000000000000000000000000001f810000000000007111000000000000'
            '16013a000000000061710c000000000016013800020000005406000001000000'
            '560636000000000026023500ff01000018060000000000000000000000000000'
            '0f26000000000000716100000000000016013000000000001801000000000000'
            '0000000000000000bf92000000000000850000000100000079a2d8ff00000000'
            '15002a0000000000b401000001000000c3100000010000005401000003000000'
            '67010000080000000f100000000000007b801800000000006320100000000000'
            '79a1c8ff000000007b1008000000000079a2c0ff000000007921000100000000'
            '7b1020000000000079210800000000007b102800000000007921100000000000'
            '7b1030000000000079211800000000007b103800000000007921200000000000'
            '7b1040000000000079212800000000007b10480000000000b401000000000000'
            'bf080000000000000708000008000000716200000000000004020000ffffffff'
            '26020d00050000000700000020000000b7010000070000005f12000000000000'
            '67020000030000000f200000000000007903000000000000bf81000000000000'
            '0701000050000000b4020000b00000008500000072000000bf01000000000000'
            '6501010000000000b70100000000000063180c000000000061710c0000000000'
            '79a6d0ff00000000560105000200000061611000000000001601030000000000'
            '7961780000000000570100000001000055010b0000000000bfa2000000000000'
            '07020000e0ffffffbf71000000000000851000007c0000001600060000000000'
            'bfa400000000000007040000e0ffffffbc01000000000000bf62000000000000'
            'bf7300000000000085100000fd000000b4000000000000009500000000000000'
        ),
        ((1456, 'classify'), (1512, 'send_detail')),
        (
            (32, 'tasks', None),
            (304, 'call_logs', None),
            (528, 'output_logs', None),
            (864, '.rodata', 1537),
            (944, '.rodata', 513),
            (984, 'failure_logs', None),
        ),
        (
            (152, 'pt_regs.syscallno', 0, False),
            (168, 'task_struct.thread_info.flags', 0, False),
            (200, 'task_struct.seccomp.mode', 0, False),
            (248, 'task_struct.pending.signal.sig', 0, False),
            (512, 'pt_regs.orig_x0', 0, False),
            (656, 'pt_regs.regs', 8, False),
            (1112, 'pt_regs.orig_x0', 0, False),
            (1128, 'pt_regs.regs', 8, False),
            (1144, 'pt_regs.regs', 16, False),
            (1160, 'pt_regs.regs', 24, False),
            (1176, 'pt_regs.regs', 32, False),
            (1192, 'pt_regs.regs', 40, False),
            (1392, 'task_struct.ptrace', 0, False),
            (1408, 'task_struct.pending.signal.sig', 0, False),
        ),
        (
            '0 detail.h:409: int observe_exit(__u64 *ctx)\n'
            '8 detail.h:411: struct pt_regs *regs = (void *)ctx[0];\n'
            '16 detail.h:412: struct task_struct *task = bpf_get_current_task_btf();\n'
            '32 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '88 detail.h:417: if (!state)\n'
            '96 detail.h:419: observe(&call, task, regs, ctx[1]);\n'
            '104 detail.h:173: call->regs = regs;\n'
            '112 detail.h:174: call->time = bpf_ktime_get_ns();\n'
            '120 detail.h:175: call->result = result;\n'
            '136 detail.h:174: call->time = bpf_ktime_get_ns();\n'
            '152 registers.h:78: return regs->syscallno;\n'
            '160 detail.h:176: call->number = call_number(regs);\n'
            '168 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '192 detail.h:177: call->marks = compat_mode(task);\n'
            '200 detail.h:178: if (task->seccomp.mode == SECCOMP_MODE_DEAD)\n'
            '216 detail.h:179: call->marks |= MARK_KILLED;\n'
            '248 detail.h:180: if (task->pending.signal.sig[0] & SIGSYS_BIT)\n'
            '272 detail.h:181: call->marks |= MARK_SIGSYS;\n'
            '288 detail.h:186: struct call_log *log = bpf_map_lookup_elem(&call_logs, &state->slot);\n'
            '344 detail.h:189: if (!log)\n'
            '360 detail.h:191: entry = &log->calls[__sync_fetch_and_add(&log->next, 1) & (LAST_CALLS - 1)];\n'
            '392 detail.h:194: entry->result = call->result;\n'
            '400 detail.h:193: entry->number = call->number;\n'
            '408 detail.h:192: entry->time = call->time;\n'
            '424 detail.h:195: entry->marks = call->marks | (state->position & REFUSED) << 16;\n'
            '464 detail.h:333: if (call->number != NR_WRITE || call->result <= 0 || call->marks & MARK_COMPAT)\n'
            '504 registers.h:101: static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->orig_x0; }\n'
            '520 detail.h:335: if ((__u32)argument0(call->regs) != STDOUT)\n'
            '528 detail.h:337: log = bpf_map_lookup_elem(&output_logs, &state->slot);\n'
            '568 detail.h:338: if (!log)\n'
            '576 detail.h:341: if (length > OUTPUT_SIZE) {\n'
            '648 registers.h:102: static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->regs[1]; }\n'
            '664 detail.h:345: entry = &log->writes[__sync_fetch_and_add(&log->next, 1) & (OUTPUTS - 1)];\n'
            '712 detail.h:341: if (length > OUTPUT_SIZE) {\n'
            '728 detail.h:347: entry->length = length;\n'
            '744 detail.h:346: entry->time = call->time;\n'
            '768 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '776 detail.h:341: if (length > OUTPUT_SIZE) {\n'
            '784 detail.h:349: if (bpf_probe_read_user(entry->text, length, (void *)address))\n'
            '848 detail.h:350: entry->length = 0;\n'
            '856 detail.h:355: return result < 0 && -result < ERRNOS && reported_errnos[-result];\n'
            '896 detail.h:364: if (!is_reported_failure(call->result) || state->position == REFUSED)\n'
            '920 detail.h:366: if (call->marks & MARK_COMPAT || number >= NUMBERS || !path_arguments[number])\n'
            '984 detail.h:368: log = bpf_map_lookup_elem(&failure_logs, &state->slot);\n'
            '1024 detail.h:369: if (!log)\n'
            '1040 detail.h:371: entry = &log->calls[__sync_fetch_and_add(&log->next, 1) & (FAILURES - 1)];\n'
            '1072 detail.h:374: entry->result = call->result;\n'
            '1080 detail.h:373: entry->number = number;\n'
            '1088 detail.h:372: entry->time = call->time;\n'
            '1112 registers.h:108: arguments[0] = regs->orig_x0;\n'
            '1128 registers.h:109: arguments[1] = regs->regs[1];\n'
            '1144 registers.h:110: arguments[2] = regs->regs[2];\n'
            '1160 registers.h:111: arguments[3] = regs->regs[3];\n'
            '1176 registers.h:112: arguments[4] = regs->regs[4];\n'
            '1192 registers.h:113: arguments[5] = regs->regs[5];\n'
            '1216 detail.h:371: entry = &log->calls[__sync_fetch_and_add(&log->next, 1) & (FAILURES - 1)];\n'
            '1232 detail.h:377: path_arguments[number]);\n'
            '1240 detail.h:215: __u64 index = number - 1;\n'
            '1248 detail.h:218: if (index > 5)\n'
            '1272 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '1280 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1304 detail.h:376: entry->length = read_argument_string(entry->path, FAILED_PATH_SIZE, entry->arguments,\n'
            '1320 detail.h:221: length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);\n'
            '1344 detail.h:222: return length > 0 ? length : 0;\n'
            '1360 detail.h:376: entry->length = read_argument_string(entry->path, FAILED_PATH_SIZE, entry->arguments,\n'
            '1368 detail.h:423: if (state->position == REFUSED && is_killed_tracee(task))\n'
            '1392 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '1416 detail.h:423: if (state->position == REFUSED && is_killed_tracee(task))\n'
            '1448 detail.h:425: kind = classify(state, &call);\n'
            '1464 detail.h:426: if (kind)\n'
            '1488 detail.h:427: send_detail(kind, task, state, &call);\n'
            '1520 detail.h:429: }\n'
        ),
    ),
    'observe_killed_thread': (
        (
            '850000009e000000bf0600000000000018010000000000000000000000000000'
            'bf62000000000000b703000000000000b704000000000000850000009c000000'
            '150022000000000061011c000000000056012000000000006161800000000000'
            '56011e0003000000bf08000000000000bf6100000000000085000000af000000'
            'bf070000000000007b7ae0ff000000008500000005000000b701000000000000'
            '7b1af0ff000000007b0ae8ff000000006171080100000000631af8ff00000000'
            '796100000000000074010000160000005401000001000000631afcff00000000'
            '616280000000000056020200030000004401000004000000631afcff00000000'
            '79627800000000005702000000000040bf830000000000001502020000000000'
            '4401000008000000631afcff00000000bfa400000000000007040000e0ffffff'
            'b401000001000000bf6200000000000085100000fd000000b400000000000000'
            '9500000000000000'
        ),
        ((336, 'send_detail'),),
        ((16, 'tasks', None),),
        (
            (88, 'task_struct.seccomp.mode', 0, False),
            (176, 'pt_regs.syscallno', 0, False),
            (192, 'task_struct.thread_info.flags', 0, False),
            (224, 'task_struct.seccomp.mode', 0, False),
            (256, 'task_struct.pending.signal.sig', 0, False),
        ),
        (
            '0 detail.h:435: struct task_struct *task = bpf_get_current_task_btf();\n'
            '16 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '64 detail.h:439: if (!state || state->killed || task->seccomp.mode != SECCOMP_MODE_DEAD)\n'
            '112 detail.h:441: observe(&call, task, bpf_task_pt_regs(task), 0);\n'
            '136 detail.h:173: call->regs = regs;\n'
            '144 detail.h:174: call->time = bpf_ktime_get_ns();\n'
            '160 detail.h:175: call->result = result;\n'
            '168 detail.h:174: call->time = bpf_ktime_get_ns();\n'
            '176 registers.h:78: return regs->syscallno;\n'
            '184 detail.h:176: call->number = call_number(regs);\n'
            '192 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '216 detail.h:177: call->marks = compat_mode(task);\n'
            '224 detail.h:178: if (task->seccomp.mode == SECCOMP_MODE_DEAD)\n'
            '240 detail.h:179: call->marks |= MARK_KILLED;\n'
            '256 detail.h:180: if (task->pending.signal.sig[0] & SIGSYS_BIT)\n'
            '288 detail.h:181: call->marks |= MARK_SIGSYS;\n'
            '320 detail.h:442: send_detail(DETAIL_REFUSED, task, state, &call);\n'
            '344 detail.h:444: }\n'
        ),
    ),
    'register_self': (
        (
            '850000009e000000bf06000000000000b7070000010000001801000000000000'
            '0000000000000000bf62000000000000b703000000000000b704000001000000'
            '850000009c000000550005000000000018010000000000000000000000000000'
            'db71280000000000b4000000000000000500140000000000b401000001000000'
            '63100c0000000000616184000000000063100800000000006161100000000000'
            '7401000018000000540100000100000063101000000000006164240000000000'
            'bf01000000000000b402000001000000b403000000000000bf07000000000000'
            '85100000b4010000b401000001000000bf62000000000000bf73000000000000'
            'b40400000000000085100000e701000061602000000000009500000000000000'
        ),
        ((224, 'begin_segment'), (264, 'send_segment')),
        ((24, 'tasks', None), (80, '.data', 0)),
        (
            (136, 'task_struct.seccomp.filter_count.counter', 0, False),
            (152, 'task_struct.ptrace', 0, False),
            (184, 'task_struct.tgid', 0, False),
            (272, 'task_struct.pid', 0, False),
        ),
        (
            '0 processes.h:17: struct task_struct *task = bpf_get_current_task_btf();\n'
            '24 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '72 segments.h:126: if (!state)\n'
            '80 segments.h:127: count_lost(lost_tasks);\n'
            '112 processes.h:20: if (!state)\n'
            '128 processes.h:22: state->position = ENTERED;\n'
            '136 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '152 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '176 segments.h:112: state->suspended = is_suspended(task);\n'
            '184 processes.h:24: begin_segment(state, EVENT_ROOT, 0, task->tgid);\n'
            '232 processes.h:25: send_segment(EVENT_ROOT, task, state, 0);\n'
            '272 processes.h:26: return task->pid;\n'
            '280 processes.h:27: }\n'
        ),
    ),
    'follow_fork': (
        (
            'bf16000000000000850000009e00000079660800000000001801000000000000'
            '0000000000000000bf02000000000000b703000000000000b704000000000000'
            '850000009c000000bf0700000000000055070700000000001801000000000000'
            '0000000000000000711100000000000056013f0001000000bf61000000000000'
            '851000000f02000005003c00000000006171200000000000631afcff00000000'
            '56010100000000000500060000000000bfa200000000000007020000fcffffff'
            '1801000000000000000000000000000085000000010000001500320000000000'
            'b70800000100000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000001000000850000009c0000005500040000000000'
            '18010000000000000000000000000000db812800000000000500260000000000'
            'b40100000100000063100c000000000061711400000000006310140000000000'
            '6171200000000000631020000000000061618400000000006310080000000000'
            '6161100000000000740100001800000054010000010000006310100000000000'
            '6173000000000000616124000000000061622000000000005e120b0000000000'
            '6164240000000000bf01000000000000b402000002000000bf08000000000000'
            '85100000b40100006174000000000000b401000002000000bf62000000000000'
            'bf8300000000000085100000e701000005000b00000000006330000000000000'
            '6171040000000000631004000000000007000000040000001801000000000000'
            '0000000000000000bf0200000000000085000000010000001500020000000000'
            'b401000001000000c310100000000000b4000000000000009500000000000000'
        ),
        ((128, 'follow_joining'), (480, 'begin_segment'), (520, 'send_segment')),
        (
            (24, 'tasks', None),
            (88, '.rodata', 512),
            (192, 'containers', None),
            (232, 'tasks', None),
            (288, '.data', 0),
            (568, 'slots', None),
        ),
        (
            (368, 'task_struct.seccomp.filter_count.counter', 0, False),
            (384, 'task_struct.ptrace', 0, False),
            (424, 'task_struct.tgid', 0, False),
            (432, 'task_struct.pid', 0, False),
            (448, 'task_struct.tgid', 0, False),
        ),
        (
            '0 processes.h:55: int follow_fork(__u64 *ctx)\n'
            '8 processes.h:57: struct task_struct *task = bpf_get_current_task_btf();\n'
            '16 processes.h:58: struct task_struct *child = (void *)ctx[1];\n'
            '24 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '80 processes.h:61: if (!parent) {\n'
            '88 processes.h:62: if (watches_containers)\n'
            '120 processes.h:63: follow_joining(child);\n'
            '144 processes.h:66: if (has_ended(parent->container))\n'
            '160 containers.h:83: return number && !bpf_map_lookup_elem(&containers, &number);\n'
            '168 processes.h:66: if (has_ended(parent->container))\n'
            '192 containers.h:83: return number && !bpf_map_lookup_elem(&containers, &number);\n'
            '216 processes.h:66: if (has_ended(parent->container))\n'
            '232 segments.h:125: state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);\n'
            '280 segments.h:126: if (!state)\n'
            '288 segments.h:127: count_lost(lost_tasks);\n'
            '312 processes.h:69: if (!state)\n'
            "328 processes.h:71: state->position = ENTERED; /* its first sys_exit is clone's, which it did not enter */\n"
            '336 processes.h:72: state->number = parent->number;\n'
            '352 processes.h:73: state->container = parent->container;\n'
            '368 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '384 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '408 segments.h:112: state->suspended = is_suspended(task);\n'
            '424 processes.h:9: return task->pid == task->tgid;\n'
            '440 processes.h:75: if (is_leader(child)) {\n'
            '448 processes.h:76: begin_segment(state, EVENT_FORK, parent->segment, child->tgid);\n'
            '488 processes.h:77: send_segment(EVENT_FORK, child, state, parent->segment);\n'
            '528 processes.h:78: } else {\n'
            '536 processes.h:79: state->segment = parent->segment;\n'
            '544 processes.h:80: state->slot = parent->slot;\n'
            '568 segments.h:74: struct slot *slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '600 segments.h:76: if (slot)\n'
            '616 segments.h:77: atomic_add(&slot->tasks, 1);\n'
            '624 processes.h:84: }\n'
        ),
    ),
    'follow_exec': (
        (
            'bf17000000000000850000009e000000bf06000000000000b709000000000000'
            '18010000000000000000000000000000bf62000000000000b703000000000000'
            'b704000000000000850000009c000000bf08000000000000b401000000000000'
            '631af8ff000000007b9af0ff000000007b9ae8ff000000007b9ae0ff00000000'
            '7b9ad8ff000000001508170000000000618208000000000061810c0000000000'
            '67010000200000004f2100000000000061821000000000006183140000000000'
            '67030000200000004f23000000000000618218000000000061841c0000000000'
            '67040000200000004f240000000000006182200000000000632af8ff00000000'
            '7b4af0ff000000007b3ae8ff000000007b1ae0ff000000006181000000000000'
            '618204000000000067020000200000004f120000000000007b2ad8ff00000000'
            '0500080000000000180100000000000000000000000000007111000000000000'
            '5601240001000000bf610000000000008510000058020000bf08000000000000'
            '1508200000000000b4010000000000006318180000000000b401000001000000'
            '63180c0000000000616184000000000063180800000000006161100000000000'
            '7401000018000000540100000100000063181000000000006161100000000000'
            '1601040000000000bf6100000000000085000000af0000007901f80000000000'
            '6318180000000000616424000000000061a9d8ff00000000bf81000000000000'
            'b402000003000000bc9300000000000085100000b40100007974100000000000'
            'bf61000000000000bf82000000000000bc93000000000000851000007b020000'
            '1609040000000000bfa200000000000007020000d8ffffffbf61000000000000'
            '85100000ffffffffb4000000000000009500000000000000'
        ),
        (
            (368, 'follow_stranger'),
            (560, 'begin_segment'),
            (600, 'send_exec'),
            (640, 'leave_segment'),
        ),
        ((32, 'tasks', None), (328, '.rodata', 512)),
        (
            (424, 'task_struct.seccomp.filter_count.counter', 0, False),
            (440, 'task_struct.ptrace', 0, False),
            (472, 'task_struct.ptrace', 0, False),
            (504, 'pt_regs.pc', 0, False),
            (520, 'task_struct.tgid', 0, False),
        ),
        (
            '0 processes.h:133: int follow_exec(__u64 *ctx)\n'
            '8 processes.h:135: struct task_struct *task = bpf_get_current_task_btf();\n'
            '32 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '96 processes.h:136: struct task_state *state = find_state(task), before = {};\n'
            '136 processes.h:138: if (state) {\n'
            '144 processes.h:139: before = *state;\n'
            '320 processes.h:140: } else {\n'
            '328 processes.h:141: state = watches_containers ? follow_stranger(task) : 0;\n'
            '384 processes.h:142: if (!state)\n'
            '400 processes.h:146: state->first = 0;\n'
            '416 processes.h:145: state->position = ENTERED;\n'
            '424 segments.h:111: state->filters = task->seccomp.filter_count.counter;\n'
            '440 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '464 segments.h:112: state->suspended = is_suspended(task);\n'
            '472 processes.h:148: if (task->ptrace) /* the registers are those with which it returns from exec (START_THREAD) */\n'
            '488 processes.h:149: state->first = program_counter(bpf_task_pt_regs(task));\n'
            '504 registers.h:88: return regs->pc;\n'
            '512 processes.h:149: state->first = program_counter(bpf_task_pt_regs(task));\n'
            '520 processes.h:150: begin_segment(state, EVENT_EXEC, before.segment, task->tgid);\n'
            '568 processes.h:151: send_exec(task, state, before.segment, (void *)ctx[2]);\n'
            '608 processes.h:152: if (before.segment)\n'
            '632 processes.h:153: leave_segment(task, &before);\n'
            '648 processes.h:155: }\n'
        ),
    ),
    'follow_exit': (
        (
            '850000009e000000bf0800000000000018010000000000000000000000000000'
            'bf82000000000000b703000000000000b704000000000000850000009c000000'
            'bf060000000000001506310000000000bf870000000000006171840000000000'
            '61620800000000005e1205000000000061711000000000007401000018000000'
            '540100000100000061621000000000001e12030000000000bf71000000000000'
            'bf6200000000000085100000be04000061718000000000005601090003000000'
            '61611c00000000005601070000000000bf7100000000000085000000af000000'
            'bf71000000000000bf62000000000000bf03000000000000b704000000000000'
            '8510000032000000b401000000000000631afcff00000000b701000000000000'
            '7b1af0ff00000000b7010000700000000f18000000000000bfa1000000000000'
            '07010000f0ffffffb402000008000000bf830000000000008500000071000000'
            'b70100000000000079a3f0ff000000000f13000000000000bfa1000000000000'
            '07010000fcffffffb402000004000000850000007100000061a1fcff00000000'
            '5601030000000000bf71000000000000bf6200000000000085100000de020000'
            'bf71000000000000bf6200000000000085100000ffffffffb400000000000000'
            '9500000000000000'
        ),
        (
            (168, 'update_seccomp'),
            (256, 'count_denial'),
            (440, 'send_exit'),
            (464, 'leave_segment'),
        ),
        ((16, 'tasks', None),),
        (
            (88, 'task_struct.seccomp.filter_count.counter', 0, False),
            (112, 'task_struct.ptrace', 0, False),
            (176, 'task_struct.seccomp.mode', 0, False),
            (296, 'task_struct.signal', 0, False),
            (352, 'signal_struct.live.counter', 0, False),
        ),
        (
            '0 processes.h:173: struct task_struct *task = bpf_get_current_task_btf();\n'
            '16 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '72 processes.h:176: if (!state)\n'
            '88 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '112 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '136 segments.h:168: state->suspended != is_suspended(task))\n'
            '144 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '152 segments.h:169: update_seccomp(task, state);\n'
            '176 processes.h:181: if (task->seccomp.mode == SECCOMP_MODE_DEAD && !state->killed)\n'
            '208 processes.h:182: count_denial(task, state, bpf_task_pt_regs(task), 0);\n'
            '272 processes.h:183: if (READ(READ(task->signal)->live.counter) == 0)\n'
            '424 processes.h:184: send_exit(task, state);\n'
            '448 processes.h:185: leave_segment(task, state);\n'
            '472 processes.h:187: }\n'
        ),
    ),
    'count_call': (
        (
            'bf19000000000000850000009e000000bf060000000000007961980000000000'
            '15012e000000000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000000000000850000009c000000bf07000000000000'
            '1507260000000000799808000000000079910000000000007b1af8ff00000000'
            '616184000000000061720800000000005e120500000000006161100000000000'
            '7401000018000000540100000100000061721000000000001e12030000000000'
            'bf61000000000000bf7200000000000085100000be0400007969000000000000'
            '7409000016000000540900000100000061711800000000001601070000000000'
            'bf61000000000000bf7200000000000079a3f8ff0000000085100000fb050000'
            '1600020000000000440900000400000005000800000000005609010000000000'
            'a5080c000002000056080500ffffffff61611000000000001601030000000000'
            '796178000000000057010000000100005501040000000000bf71000000000000'
            'bc82000000000000bc930000000000008510000005060000b400000000000000'
            '9500000000000000bf7200000000000007020000040000001801000000000000'
            '000000000000000085000000010000001500f8ff00000000bf81000000000000'
            '6701000003000000bf020000000000000f12000000000000b701000001000000'
            'db12200000000000180100000000000000000000000000000f81000000000000'
            '71110000000000001601edff00000000bf61000000000000bf72000000000000'
            'bf0300000000000079a4f8ff00000000bc850000000000008510000029060000'
            '0500e6ff00000000'
        ),
        (
            (208, 'update_seccomp'),
            (280, 'is_injected'),
            (400, 'count_rare'),
            (600, 'keep_arguments'),
        ),
        ((40, 'tasks', None), (440, 'slots', None), (520, '.rodata', 0)),
        (
            (24, 'task_struct.bpf_storage', 0, False),
            (128, 'task_struct.seccomp.filter_count.counter', 0, False),
            (152, 'task_struct.ptrace', 0, False),
            (216, 'task_struct.thread_info.flags', 0, False),
            (336, 'task_struct.ptrace', 0, False),
            (352, 'task_struct.pending.signal.sig', 0, False),
        ),
        (
            '0 syscalls.h:82: int count_call(__u64 *ctx)\n'
            '8 syscalls.h:42: struct task_struct *task = bpf_get_current_task_btf();\n'
            '24 syscalls.h:49: if (!task->bpf_storage) /* most tasks of a host: they pay for two loads and a jump */\n'
            '40 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '96 syscalls.h:52: if (!state)\n'
            '104 syscalls.h:55: number = ctx[1];\n'
            '112 syscalls.h:54: regs = (void *)ctx[0];\n'
            '120 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '152 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '176 segments.h:168: state->suspended != is_suspended(task))\n'
            '184 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '192 segments.h:169: update_seccomp(task, state);\n'
            '216 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '240 syscalls.h:62: if (state->first && is_injected(task, state, regs)) {\n'
            '296 syscalls.h:63: count_rare(state, number, mode | MODE_INJECTED);\n'
            '312 syscalls.h:66: if (mode || number >= NUMBERS) {\n'
            '328 syscalls.h:34: return (__s32)number == -1 && is_killed_tracee(task);\n'
            '336 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '360 syscalls.h:67: if (!is_killed_entry(task, number))\n'
            '408 syscalls.h:84: return count(ctx, 0);\n'
            '424 syscalls.h:71: slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '464 syscalls.h:72: if (!slot)\n'
            '472 syscalls.h:74: atomic_add(&slot->counts[number], 1);\n'
            '520 syscalls.h:75: if (argument_specs[number])\n'
            '560 syscalls.h:76: keep_arguments(task, state, slot, regs, number);\n'
        ),
    ),
    'count_entry': (
        (
            'bf18000000000000850000009e000000bf060000000000007961980000000000'
            '150131000000000018010000000000000000000000000000bf62000000000000'
            'b703000000000000b704000000000000850000009c000000bf07000000000000'
            '150729000000000079810000000000007b1af8ff000000007988080000000000'
            'b40100000100000063170c000000000063871400000000006161840000000000'
            '61720800000000005e1205000000000061611000000000007401000018000000'
            '540100000100000061721000000000001e12030000000000bf61000000000000'
            'bf7200000000000085100000be04000079690000000000007409000016000000'
            '540900000100000061711800000000001601070000000000bf61000000000000'
            'bf7200000000000079a3f8ff0000000085100000fb0500001600020000000000'
            '440900000400000005000800000000005609010000000000a5080c0000020000'
            '56080500ffffffff616110000000000016010300000000007961780000000000'
            '57010000000100005501040000000000bf71000000000000bc82000000000000'
            'bc930000000000008510000005060000b4000000000000009500000000000000'
            'bf72000000000000070200000400000018010000000000000000000000000000'
            '85000000010000001500f8ff00000000bf810000000000006701000003000000'
            'bf020000000000000f12000000000000b701000001000000db12200000000000'
            '180100000000000000000000000000000f810000000000007111000000000000'
            '1601edff00000000bf61000000000000bf72000000000000bf03000000000000'
            '79a4f8ff00000000bc8500000000000085100000290600000500e6ff00000000'
        ),
        (
            (232, 'update_seccomp'),
            (304, 'is_injected'),
            (424, 'count_rare'),
            (624, 'keep_arguments'),
        ),
        ((40, 'tasks', None), (464, 'slots', None), (544, '.rodata', 0)),
        (
            (24, 'task_struct.bpf_storage', 0, False),
            (152, 'task_struct.seccomp.filter_count.counter', 0, False),
            (176, 'task_struct.ptrace', 0, False),
            (240, 'task_struct.thread_info.flags', 0, False),
            (360, 'task_struct.ptrace', 0, False),
            (376, 'task_struct.pending.signal.sig', 0, False),
        ),
        (
            '0 syscalls.h:89: int count_entry(__u64 *ctx)\n'
            '8 syscalls.h:42: struct task_struct *task = bpf_get_current_task_btf();\n'
            '24 syscalls.h:49: if (!task->bpf_storage) /* most tasks of a host: they pay for two loads and a jump */\n'
            '40 segments.h:117: return bpf_task_storage_get(&tasks, (void *)task, 0, 0);\n'
            '96 syscalls.h:52: if (!state)\n'
            '104 syscalls.h:54: regs = (void *)ctx[0];\n'
            '112 syscalls.h:55: number = ctx[1];\n'
            '136 syscalls.h:57: state->position = ENTERED;\n'
            '144 syscalls.h:58: state->number = number;\n'
            '152 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '176 task.h:8: return task->ptrace >> PT_SUSPEND_SECCOMP & 1;\n'
            '200 segments.h:168: state->suspended != is_suspended(task))\n'
            '208 segments.h:167: if (state->filters != (__u32)task->seccomp.filter_count.counter ||\n'
            '216 segments.h:169: update_seccomp(task, state);\n'
            '240 registers.h:93: return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;\n'
            '264 syscalls.h:62: if (state->first && is_injected(task, state, regs)) {\n'
            '320 syscalls.h:63: count_rare(state, number, mode | MODE_INJECTED);\n'
            '336 syscalls.h:66: if (mode || number >= NUMBERS) {\n'
            '352 syscalls.h:34: return (__s32)number == -1 && is_killed_tracee(task);\n'
            '360 task.h:35: return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;\n'
            '384 syscalls.h:67: if (!is_killed_entry(task, number))\n'
            '432 syscalls.h:91: return count(ctx, 1);\n'
            '448 syscalls.h:71: slot = bpf_map_lookup_elem(&slots, &state->slot);\n'
            '488 syscalls.h:72: if (!slot)\n'
            '496 syscalls.h:74: atomic_add(&slot->counts[number], 1);\n'
            '544 syscalls.h:75: if (argument_specs[number])\n'
            '584 syscalls.h:76: keep_arguments(task, state, slot, regs, number);\n'
        ),
    ),
}
