"""Programs of seclatch that an installation keeps running: systemd services and their settings.

In: options of `install`. Out: steps of an installation. May import `engines.installation`.
"""
