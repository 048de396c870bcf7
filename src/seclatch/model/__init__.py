"""Pure values: profiles, filters, recordings. Needs neither root nor libseccomp nor Linux."""
