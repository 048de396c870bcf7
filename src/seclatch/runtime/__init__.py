"""Runs one command in a container through an OCI runtime, without any engine.

`container` puts the parts together; `bundle` (the OCI configuration), `capability`, `user` and
`volume` are pure; `rootfs`, `layer` and `cgroups` prepare what the runtime works on; `process`
runs it and `outcome` says what became of it.
"""
