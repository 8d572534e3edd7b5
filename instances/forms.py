"""Forms of the console, with the same judgement as the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from instances import account_settings, retry_schedules
from instances.errors import InvalidRequest
from instances.models import Organization

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Organization]
else:
    ModelForm = forms.ModelForm


class OrganizationForm(ModelForm):
    failure_policy = forms.ChoiceField(
        label="When a notification fails",
        choices=[
            (Organization.RETRY, "Retry: send it again by the schedule, then queue it"),
            (Organization.QUEUE, "Queue: keep it until somebody asks for it"),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    retry_schedule = forms.CharField(
        label="Retry schedule",
        widget=UnfoldAdminTextInputWidget,
        required=False,
        strip=True,
        help_text=f"{', '.join(retry_schedules.PRESETS)}, or seconds after the first failure, such as 10,60,600. "
        f"Empty: {retry_schedules.DEFAULT}.",
    )
    retention_days = forms.IntegerField(
        label="Days that events are kept",
        widget=UnfoldAdminIntegerFieldWidget,
        required=False,
        min_value=1,
        max_value=account_settings.LONGEST_RETENTION_DAYS,
        help_text="With their deliveries and attempts. Empty: as long as the platform keeps them.",
    )

    class Meta:
        model = Organization
        fields = ("failure_policy", "retry_schedule", "retention_days")

    def clean_retry_schedule(self) -> str:
        sent = self.cleaned_data["retry_schedule"]
        try:
            return retry_schedules.parse("retry schedule", sent or retry_schedules.DEFAULT)
        except InvalidRequest as refused:
            raise ValidationError(str(refused)) from refused
