"""Accounts, and the attempts to open them. In the municipality's schema."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.functional import cached_property

from centre.kernel.actors import Actor, ActorKind
from centre.kernel.ids import new_id
from tenants.clerks.roles import Role


class ClerkManager(BaseUserManager["Clerk"]):
    """Finds clerks by login, whatever the case of the letters."""

    def get_by_natural_key(self, username: str | None) -> "Clerk":
        return self.get(login=(username or "").strip().lower())


class Clerk(AbstractBaseUser):
    """A person with an account. Never deleted: the trail names it; an account is closed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    login = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=13, choices=[(role.value, role.label) for role in Role])
    is_active = models.BooleanField(default=True)
    #: Somebody else knows the password.
    must_change_password = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[ClerkManager] = ClerkManager()

    USERNAME_FIELD = "login"
    REQUIRED_FIELDS = ["name", "role"]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def actor(self) -> Actor:
        return Actor(kind=ActorKind.CLERK, id=str(self.id), name=self.name)

    def may(self, role: Role) -> bool:
        """Return whether the clerk may do all that a role may."""
        return self.is_active and Role(self.role).includes(role)


class FailedSignIns(models.Model):
    """How often somebody failed at a login lately, known or not. One row for each login."""

    login = models.CharField(max_length=60, primary_key=True)
    count = models.IntegerField(default=0)
    last_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)
