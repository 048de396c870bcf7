/* The recorder's programs. Each header is one concern; docs/recording.md describes their results. */
#include "adoption.h"
#include "detail.h"
#include "processes.h"
#include "syscalls.h"

EMIT_TYPE(segment_event);
EMIT_TYPE(member_event);
EMIT_TYPE(exec_event);
EMIT_TYPE(exit_event);
EMIT_TYPE(suspension_event);
EMIT_TYPE(denial_event);
EMIT_TYPE(write_event);
EMIT_TYPE(detail_event);

char _license[] SEC("license") = "GPL"; /* the helpers that read memory ask for it */
