"""Compiled from native/bpf/filters.bpf.c by `make bpf`; not to be edited."""

# fmt: off
# ruff: noqa: E501
SECTIONS = {
    'read_filters': 'iter/task',
}
MAPS = {
    'copied': (1, 8, 8, 65536, 1, ''),
    'store': (2, 4, 2162688, 1, 1024, ''),
    '.rodata': (2, 4, 16, 1, 128, ''),
    '.bss': (2, 4, 8, 1, 1024, ''),
}
VARIABLES = {
    'task_header_type': ('.rodata', 0, 8),
    'layer_type': ('.rodata', 8, 8),
    'used': ('.bss', 0, 8),
}
FUNCTIONS = {
    'copy_instructions': (
        (
            '7b4ae8ff000000007b2ae0ff000000007b1ad8ff00000000b701000000000000'
            '7b1af8ff000000007b1af0ff00000000b7010000080000000f13000000000000'
            'bfa100000000000007010000f0ffffffb4020000080000008500000071000000'
            'b70100000000000079a3f0ff000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000850000007100000079a8f8ff00000000'
            '180100000000000000000000000000007919000000000000b401000000000000'
            '631af0ff00000000bfa200000000000007020000f0ffffff1801000000000000'
            '00000000000000008500000001000000bf07000000000000b4030000ffffffff'
            '15073a00000000001508390000000000b4010000000000006b1af8ff00000000'
            'b701000000000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000020000008500000071000000b4030000ffffffff'
            '69a6f8ff0000000026062d000010000025092c0000801f00b701000000000000'
            '7b1af8ff00000000b7010000080000000f18000000000000bfa1000000000000'
            '07010000f8ffffffb402000008000000bf830000000000008500000071000000'
            '79a3f8ff00000000b7010000ffff1f005f190000000000006406000003000000'
            '57060000f8ff0000b7010000ffff00005f16000000000000bf98000000000000'
            '0f97000000000000bf71000000000000bc620000000000008500000071000000'
            'b4030000ffffffff5500150000000000b7010000000000007b1af8ff00000000'
            'b70100008800000079a3e0ff000000000f13000000000000bfa1000000000000'
            '07010000f8ffffffb4020000080000008500000071000000b4030000ffffffff'
            '79a1f8ff0000000079a2e8ff000000005d2108000000000079a1d8ff00000000'
            '636104000000000063810000000000000f860000000000001801000000000000'
            '00000000000000007b61000000000000b403000000000000bc30000000000000'
            '9500000000000000'
        ),
        (),
        ((160, '.bss', 0), (216, 'store', None), (696, '.bss', 0)),
        (
            (48, 'seccomp_filter.prog', 0, False),
            (96, 'bpf_prog.orig_prog', 0, False),
            (288, 'sock_fprog_kern.len', 0, False),
            (392, 'sock_fprog_kern.filter', 0, False),
            (576, 'task_struct.seccomp.filter', 0, False),
        ),
        (
            '0 filters.bpf.c:95: static __noinline int copy_instructions(struct copy *copy, struct task_struct *task,\n'
            '32 filters.bpf.c:98: struct sock_fprog_kern *original = READ(READ(filter->prog)->orig_prog);\n'
            '160 filters.bpf.c:99: __u64 position = used, size;\n'
            '192 filters.bpf.c:100: __u32 first = 0;\n'
            '216 filters.bpf.c:102: struct store *memory = bpf_map_lookup_elem(&store, &first);\n'
            '256 filters.bpf.c:104: if (!memory || !original)\n'
            '280 filters.bpf.c:106: size = (__u64)READ(original->len) * 8;\n'
            '360 filters.bpf.c:107: if (size > LARGEST || position > STORE - LARGEST)\n'
            '384 filters.bpf.c:109: code = READ(original->filter);\n'
            '464 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '472 filters.bpf.c:106: size = (__u64)READ(original->len) * 8;\n'
            '496 helpers.h:68: asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));\n'
            '512 filters.bpf.c:112: if (bpf_probe_read_kernel(&memory->bytes[position], size, code))\n'
            '560 filters.bpf.c:114: if (READ(task->seccomp.filter) != head)\n'
            '672 filters.bpf.c:117: copy->size = size;\n'
            '680 filters.bpf.c:116: copy->position = position;\n'
            '688 filters.bpf.c:118: used = position + size;\n'
            '728 filters.bpf.c:120: }\n'
        ),
    ),
    'read_filters': (
        (
            '7912000000000000791308000000000079210000000000007b1ac8ff00000000'
            'b701000000000000631ae4ff00000000631ae0ff00000000b401000000000000'
            '631ae8ff000000007b3ac0ff00000000150396000000000079a1c0ff00000000'
            '611180000000000016019300000000008500000023000000b701000040000000'
            '0f10000000000000b406000000000000636aecff00000000b709000000000000'
            '7b9af0ff00000000bfa100000000000007010000f0ffffffb402000008000000'
            'bf030000000000008500000071000000b70100000000000079a3f0ff00000000'
            '0f13000000000000bfa100000000000007010000ecffffffb402000004000000'
            '850000007100000061a7ecff000000007b9af0ff00000000b701000088000000'
            '79a8c0ff00000000bf830000000000000f13000000000000bfa1000000000000'
            '07010000f0ffffffb402000008000000850000007100000079a1f0ff00000000'
            '7b1ab8ff000000007b9af0ff00000000b7010000400000000f18000000000000'
            'bfa100000000000007010000f0ffffffb402000008000000bf83000000000000'
            '8500000071000000b70200000800000079a1f0ff000000000f21000000000000'
            '540700001f000000b708000010000000b7030000100000002f73000000000000'
            '0f13000000000000b7010000000000000f13000000000000636af0ff00000000'
            'bfa100000000000007010000f0ffffffb4020000040000008500000071000000'
            '61a1f0ff00000000631ad4ff000000007b9af0ff00000000b701000038000000'
            '79a3c0ff000000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000008000000850000007100000079a3f0ff000000007b9af0ff00000000'
            'b7010000400000000f13000000000000bfa100000000000007010000f0ffffff'
            'b402000008000000850000007100000079a1f0ff00000000b702000008000000'
            '0f210000000000002f780000000000000f18000000000000b701000000000000'
            '0f18000000000000636af0ff00000000bfa100000000000007010000f0ffffff'
            'b402000004000000bf83000000000000850000007100000061a1f0ff00000000'
            '631ad8ff0000000079a1c0ff000000006111800000000000631adcff00000000'
            '79a1b8ff0000000015010e0000000000b408000000000000b707000000000000'
            '79a3b8ff000000007b9af0ff000000000f73000000000000bfa1000000000000'
            '07010000f0ffffffb40200000800000085000000710000000406000001000000'
            '260803003e00000079a3f0ff00000000bc680000000000005503f5ff00000000'
            '636ae0ff00000000636ae4ff00000000b7010000010000001601030000000000'
            '79a1c0ff000000006111840000000000631ae0ff00000000bfa2000000000000'
            '07020000d4ffffff79a1c8ff00000000b403000018000000850000007f000000'
            '79a1b8ff0000000015011b000000000061a1e4ff000000001601190000000000'
            'b406000000000000bfa900000000000007090000f8ffffffb707000000000000'
            '79a8b8ff000000000500150000000000bfa200000000000007020000f0ffffff'
            '79a1c8ff00000000b403000010000000850000007f000000b701000000000000'
            '7b1af0ff000000000f78000000000000bfa100000000000007010000f0ffffff'
            'b402000008000000bf830000000000008500000071000000260605003e000000'
            '79a8f0ff000000001508030000000000040600000100000061a1e4ff00000000'
            'ae16020000000000b400000000000000950000000000000018010000ffffffff'
            '00000000000000007b1af8ff000000007b8af0ff00000000bfa2000000000000'
            '07020000f0ffffff180100000000000000000000000000008500000001000000'
            '1500060000000000610100000000000061020400000000006702000020000000'
            '4f120000000000007b2af8ff000000000500dbff00000000bf91000000000000'
            '79a2c0ff00000000bf8300000000000079a4b8ff0000000085100000ffffffff'
            '5600d5ff00000000bfa200000000000007020000f0ffffff1801000000000000'
            '0000000000000000bf93000000000000b7040000000000008500000002000000'
            '0500cdff00000000'
        ),
        ((1464, 'copy_instructions'),),
        ((1352, 'copied', None), (1496, 'copied', None)),
        (
            (0, 'bpf_iter__task.meta', 0, False),
            (8, 'bpf_iter__task.task', 0, False),
            (16, 'bpf_iter_meta.seq', 0, False),
            (96, 'task_struct.seccomp.mode', 0, False),
            (120, 'task_struct.thread_pid', 0, False),
            (208, 'pid.level', 0, False),
            (280, 'task_struct.seccomp.filter', 0, False),
            (368, 'task_struct.thread_pid', 0, False),
            (424, 'pid.numbers', 0, False),
            (456, 'upid', 0, False),
            (464, 'upid', 0, False),
            (488, 'upid.nr', 0, False),
            (568, 'task_struct.group_leader', 0, False),
            (640, 'task_struct.thread_pid', 0, False),
            (696, 'pid.numbers', 0, False),
            (728, 'upid.nr', 0, False),
            (816, 'task_struct.seccomp.mode', 0, False),
            (856, 'seccomp_filter.prev', 0, False),
            (976, 'task_struct.seccomp.filter_count', 0, True),
            (1000, 'task_struct.seccomp.filter_count.counter', 0, False),
            (1112, 'seccomp_filter.prev', 0, False),
        ),
        (
            '0 filters.bpf.c:140: struct seq_file *file = ctx->meta->seq;\n'
            '8 filters.bpf.c:139: struct task_struct *task = ctx->task;\n'
            '16 filters.bpf.c:140: struct seq_file *file = ctx->meta->seq;\n'
            '40 filters.bpf.c:142: struct task_header header = {};\n'
            '80 filters.bpf.c:145: if (!task || !task->seccomp.mode) /* null: the call after the last task */\n'
            '112 filters.bpf.c:77: struct task_struct *reader = bpf_get_current_task();\n'
            '144 filters.bpf.c:79: return READ(READ(reader->thread_pid)->level);\n'
            '272 filters.bpf.c:148: head = filter = READ(task->seccomp.filter);\n'
            '352 filters.bpf.c:68: __u64 entry = (__u64)&READ(task->thread_pid)->numbers;\n'
            '448 filters.bpf.c:70: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '504 filters.bpf.c:71: return READ(((struct upid *)entry)->nr);\n'
            '552 filters.bpf.c:149: header.tid = read_pid(task, level);\n'
            '560 filters.bpf.c:150: header.pid = read_pid(READ(task->group_leader), level);\n'
            '632 filters.bpf.c:68: __u64 entry = (__u64)&READ(task->thread_pid)->numbers;\n'
            '712 filters.bpf.c:70: entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);\n'
            '744 filters.bpf.c:71: return READ(((struct upid *)entry)->nr);\n'
            '800 filters.bpf.c:150: header.pid = read_pid(READ(task->group_leader), level);\n'
            '808 filters.bpf.c:151: header.mode = task->seccomp.mode;\n'
            '840 filters.bpf.c:86: for (__u32 i = 0; i < LAYERS && filter; i++) {\n'
            '872 filters.bpf.c:87: filter = READ(filter->prev);\n'
            '920 filters.bpf.c:86: for (__u32 i = 0; i < LAYERS && filter; i++) {\n'
            '960 filters.bpf.c:153: header.filters = header.layers;\n'
            '968 filters.bpf.c:152: header.layers = count_layers(head);\n'
            '984 filters.bpf.c:154: if (member_exists(task->seccomp.filter_count)) /* Linux 5.9 */\n'
            '992 filters.bpf.c:155: header.filters = task->seccomp.filter_count.counter;\n'
            '1032 filters.bpf.c:156: bpf_seq_write(file, &header, sizeof(header));\n'
            '1056 filters.bpf.c:157: for (__u32 i = 0; i < LAYERS && filter; i++) {\n'
            '1152 filters.bpf.c:132: bpf_seq_write(file, &layer, sizeof(layer));\n'
            '1176 filters.bpf.c:161: filter = READ(filter->prev);\n'
            '1240 filters.bpf.c:157: for (__u32 i = 0; i < LAYERS && filter; i++) {\n'
            '1288 filters.bpf.c:164: }\n'
            '1304 filters.bpf.c:125: struct layer layer = { .filter = (__u64)filter, .copy = { .position = NOT_COPIED } };\n'
            '1352 filters.bpf.c:126: struct copy *known = bpf_map_lookup_elem(&copied, &layer.filter);\n'
            '1376 filters.bpf.c:128: if (known)\n'
            '1384 filters.bpf.c:129: layer.copy = *known;\n'
            '1432 filters.bpf.c:130: else if (copy_instructions(&layer.copy, task, filter, head) == 0)\n'
            '1496 filters.bpf.c:131: bpf_map_update_elem(&copied, &layer.filter, &layer.copy, BPF_ANY);\n'
        ),
    ),
}
