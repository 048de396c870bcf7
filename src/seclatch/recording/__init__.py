"""Record which system calls a command or container makes, stage by stage.

In: a command, a running container, or an annotated one. Out: a recording
(`seclatch.model.recording.recording`), written by `recording.files`. Readers of recordings import
`model` alone. This level starts and ends recordings; each sub-package does one part.
"""
