"""The form in which an instance is created, edited or authenticated anew, and what it does when it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from django.http import QueryDict

from connectors import configuration_entries as keys
from connectors.element import Element
from instances import audit, provisioning
from instances import configuration as configurations
from instances.configuration import Configuration
from instances.console import form_data, form_fields, form_problems
from instances.console.form_data import Initial, Typed, Wanted
from instances.console.form_fields import FormField
from instances.console.form_problems import Problem
from instances.encryption import KeyMissing
from instances.models import Instance, User
from instances.signing_keys import read as signing_keys_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    element: Element
    instance: Instance | None = None
    is_reauthentication: bool = False
    """Shows what proves who we are at the provider, and nothing else; secrets have to be typed."""
    fields: Sequence[FormField] = ()
    initial: Initial
    before: Configuration = field(repr=False)
    undeclared: Sequence[str] = ()
    """Keys that only this instance has; they are changed over the API."""

    @property
    def is_new(self) -> bool:
        return self.instance is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came back of a form."""

    typed: Typed
    wanted: Wanted
    initial: Initial
    """For the page to send back: what it was drawn with, and what was told since."""
    problems: Sequence[Problem] = ()


def new_form(element: Element) -> Form:
    fields = form_fields.fields_of(element)
    before = configurations.blank(element)
    return Form(element=element, fields=fields, initial=form_data.initial_of(fields), before=before)


def edit_form(instance: Instance) -> Form:
    """Raises KeyMissing: such an instance can only be authenticated anew."""
    shown = configurations.shown(instance)
    signing_keys_of(instance.signing_keys_encrypted)
    fields = form_fields.with_values(form_fields.fields_of(instance.element), shown)
    known = {entry.key for entry in keys.entries_of(instance.element)}
    return Form(
        element=instance.element,
        instance=instance,
        fields=fields,
        initial=form_data.initial_of(fields, name=instance.name, tags=instance.tags),
        before=configurations.configuration_of(instance),
        undeclared=[entry.key for entry in shown if entry.key not in known],
    )


def reauthentication_form(instance: Instance) -> Form:
    """Also the signature key, where it cannot be read any more."""
    fields = [one for one in form_fields.fields_of(instance.element) if one.place.startswith("provider")]
    fields = [one for one in fields if one.key != keys.FILTER_NULLS]
    fields = form_fields.with_values(fields, configurations.shown_part(instance))
    fields = [replace(one, is_stored=False, place="provider") for one in fields]
    if not _is_signature_readable(instance):
        fields += [one for one in form_fields.fields_of(instance.element) if one.key == keys.SIGNATURE_KEY]
        fields[-1] = replace(
            fields[-1],
            place="provider",
            help="The key that notifications were signed with cannot be read any more. "
            "Type it again; if you leave this empty, notifications go out unsigned.",
        )
    return Form(
        element=instance.element,
        instance=instance,
        is_reauthentication=True,
        fields=fields,
        initial=form_data.initial_of(fields, name=instance.name, tags=instance.tags),
        before=configurations.readable_part(instance),
    )


def sent(form: Form, post: QueryDict, *, typed_so_far: bool = False) -> Sent:
    """What was typed, what it asks for, and what is wrong with it; nobody is asked."""
    initial = form.initial if form.is_new else form_data.initial_from(post, form.initial)
    typed = form_data.typed(post, form.fields, initial)
    if form.is_reauthentication:
        typed = replace(typed, name=initial.name, tags=initial.tags)
    wanted = form_data.wanted(typed, form.fields, initial, is_new=form.is_new)
    problems = form_problems.problems_of(wanted, form.before, typed_so_far=typed_so_far)
    if form.is_reauthentication and not typed_so_far:
        problems += _secrets_not_typed(form, wanted, problems)
    return Sent(typed=typed, wanted=wanted, initial=initial, problems=problems)


def with_overtaken(form: Form, sent: Sent) -> Sent:
    """The same, with a problem for everything that would replace what somebody else has just changed."""
    overtaken, initial = form_data.overtaken(sent.wanted, sent.typed, initial=sent.initial, now=form.initial)
    problems = [
        Problem(
            key=key,
            message=f"{key}: somebody else changed this meanwhile. "
            "Save again to put yours in its place, or open the page anew to see theirs",
        )
        for key in overtaken
    ]
    return replace(sent, initial=initial, problems=[*sent.problems, *problems])


def drawn(form: Form) -> Sent:
    """The form before anybody typed."""
    typed = replace(form_data.drawn(form.fields), name=form.initial.name, tags=form.initial.tags)
    wanted = form_data.wanted(typed, form.fields, form.initial, is_new=form.is_new)
    return Sent(typed=typed, wanted=wanted, initial=form.initial)


def save(form: Form, wanted: Wanted, *, user: User) -> Instance:
    """Create or change, and note it. Raises what `provisioning` raises."""
    if form.instance is None:
        instance = provisioning.create(
            user=user,
            element=form.element,
            name=wanted.name,
            tags=wanted.tags,
            configuration=wanted.configuration,
        )
        _note(user, instance, "created the instance", detail=f"of {form.element.key}")
    else:
        instance = provisioning.update(
            instance_id=form.instance.pk,
            name=wanted.name,
            tags=wanted.tags,
            configuration=wanted.configuration or None,
            replaces_unreadable=form.is_reauthentication,
        )
        action = "re-authenticated the instance" if form.is_reauthentication else "changed the instance"
        _note(user, instance, action, detail=", ".join(_changed(wanted)))
    if keys.EVENTS_ENABLED in wanted.configuration:
        _note(user, instance, f"switched events {'on' if instance.is_events_enabled else 'off'}")
    return instance


def _changed(wanted: Wanted) -> Iterable[str]:
    """What was changed, by key; never to what."""
    if wanted.name is not None:
        yield "name"
    if wanted.tags is not None:
        yield "tags"
    yield from wanted.configuration


def _secrets_not_typed(form: Form, wanted: Wanted, problems: Sequence[Problem]) -> list[Problem]:
    named = {problem.key for problem in problems}
    return [
        Problem(key=one.key, message=f"{one.key}: type it again")
        for one in form.fields
        if one.is_secret and one.is_required and one.key not in wanted.configuration and one.key not in named
    ]


def _is_signature_readable(instance: Instance) -> bool:
    try:
        signing_keys_of(instance.signing_keys_encrypted)
    except KeyMissing:
        return False
    return True


def _note(user: User, instance: Instance, action: str, *, detail: str = "") -> None:
    audit.note(
        who=user,
        through=audit.CONSOLE,
        action=action,
        organization_id=instance.organization_id,
        instance=instance,
        detail=detail,
    )
