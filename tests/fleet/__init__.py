"""Parts of the fleet with processes and servers: agent, kubectl plugin, kustomize."""
