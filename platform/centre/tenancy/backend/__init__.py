"""The database backend of this house (`ENGINE = "centre.tenancy.backend"`), see `base`."""
