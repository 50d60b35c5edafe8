"""Clerks. Call within the scope of a municipality."""

from tenants.clerks.models import Clerk
from tenants.clerks.roles import Role

PASSWORD = "drei-Boote-am-Kanal"


def clerk(
    login: str = "k.kranich", *, name: str = "Karla Kranich", role: Role = Role.CASEWORKER
) -> Clerk:
    made = Clerk(login=login, name=name, role=role)
    made.set_password(PASSWORD)
    made.save()
    return made
