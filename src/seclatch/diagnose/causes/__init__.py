"""The causes that are told apart, one a file; `seclatch.diagnose.registry` has their order."""
