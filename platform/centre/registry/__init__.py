"""The municipalities that this centre hosts: their names, schemas, roles and host names."""
