"""What several commands share: options, output, errors, lazy loading. May import what `cli` may."""
