"""Pure values: what profiles and filters are made of. No root, no libseccomp, no Linux needed."""
