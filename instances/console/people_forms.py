"""The forms about people: who is new, what changes, another password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from instances import accounts
from instances.models import User

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[User]
else:
    ModelForm = forms.ModelForm

ROLES = [
    (User.OWNER, "Owner: may do everything, with settings and people"),
    (User.OPERATOR, "Operator: creates, changes, switches and redelivers"),
    (User.VIEWER, "Viewer: sees how things go, no secrets and no records"),
]


def _name(label: str) -> forms.CharField:
    return forms.CharField(label=label, max_length=150, required=False, widget=UnfoldAdminTextInputWidget)


def _role(initial: str | None = None) -> forms.ChoiceField:
    return forms.ChoiceField(label="Role", choices=ROLES, initial=initial, widget=UnfoldAdminSelectWidget)


def _password(label: str, help_text: str) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, strip=False, help_text=help_text, widget=widget)


class NewPersonForm(ModelForm):
    """`accounts.add_person` makes the row; this asks for what it needs."""

    email = forms.EmailField(label="E-mail address", widget=UnfoldAdminEmailInputWidget)
    first_name = _name("First name")
    last_name = _name("Last name")
    role = _role(initial=User.OPERATOR)
    password = _password(
        "Initial password", "At least 8 characters. Tell it to them by another way; they change it in the menu."
    )

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "role")

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if User.objects.filter(email=email).exists():
            raise ValidationError("Somebody has this address already.")
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password


class PersonForm(ModelForm):
    first_name = _name("First name")
    last_name = _name("Last name")
    role = _role()
    is_active = forms.BooleanField(
        label="May sign in",
        required=False,
        help_text="Off: nobody signs in as this person, and their API secret proves nothing.",
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "role", "is_active")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        stays = cleaned.get("is_active") and cleaned.get("role") == User.OWNER
        if not stays and accounts.is_last_owner(User.objects.get(pk=self.instance.pk)):
            raise ValidationError("This is the only owner. Make somebody else an owner first.")
        return cleaned


class PasswordForm(forms.Form):
    password = _password("New password", "At least 8 characters.")
    again = _password("Again", "")

    def __init__(self, *args: Any, person: User, **options: Any) -> None:
        super().__init__(*args, **options)
        self.person = person

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        password, again = cleaned.get("password"), cleaned.get("again")
        if password and again and password != again:
            self.add_error("again", "The two are not the same.")
        elif password:
            try:
                validate_password(password, self.person)
            except ValidationError as refused:
                self.add_error("password", refused)
        return cleaned
