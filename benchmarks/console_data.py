"""A platform with a lot in it: 10,000 instances of several organizations, a million deliveries, and what hangs on them.

Written by SQL, in about two minutes; the same every time, since what looks like chance comes from hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

INSTANCES = 10_000
DELIVERIES = 1_000_000
DAYS = 30
"""How far back events go."""
PASSWORD = "benchmark"
# How many of a hundred instances each organization has.
_SHARES = (40, 20, 15, 10, 6, 4, 3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    largest: int
    """The organizations with the most instances, and with the fewest."""
    smallest: int


def owner_of(number: int) -> str:
    """The e-mail address of the owner of the organization with this id; `root@example.com` sees all of them."""
    return f"owner{number}@example.com"


def fill(*, instances: int = INSTANCES, deliveries: int = DELIVERIES) -> Filled:
    """Into empty tables of a throw-away database: sequences begin at 1."""
    from django.db import connection

    organizations = _people()
    sizes: dict[str, Any] = {
        "instances": instances,
        "events": deliveries * 10 // 11,
        "organizations": organizations,
        "shares": _cumulative(),
        "secret": _secret(),
        "days": DAYS,
    }
    with connection.cursor() as cursor:
        # Nothing here refers to what is not there, and looking that up a million times takes longer than the rest.
        cursor.execute("SET session_replication_role = replica")
        for statement in _STATEMENTS:
            cursor.execute(statement, sizes)
            print(f"filled {statement.split()[2]}: {cursor.rowcount:,} rows", flush=True)
        cursor.execute("SET session_replication_role = DEFAULT")
        for table in _TABLES:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    return Filled(largest=organizations[0], smallest=organizations[-1])


def _people() -> list[int]:
    from django.contrib.auth.hashers import make_password

    from instances.encryption import encrypt, fingerprint, new_secret
    from instances.models import Organization, User

    password = make_password(PASSWORD)
    secret = encrypt("unused")
    ids = []
    for number in range(1, len(_SHARES) + 1):
        organization = Organization.objects.create(
            name=f"Organization {number}", secret_hash=fingerprint(new_secret()), secret_encrypted=secret
        )
        for role in (User.OWNER, User.OPERATOR, User.VIEWER):
            email = f"{role}{organization.pk}@example.com"
            User.objects.create(
                email=email, organization=organization, role=role, is_staff=True, password=password, first_name=role
            )
        ids.append(organization.pk)
    User.objects.create(email="root@example.com", password=password, is_staff=True, is_superuser=True)
    return ids


def _secret() -> str:
    from instances.encryption import encrypt_json

    return encrypt_json({"company": "acme", "public.key": "public", "private.key": "private"})


def _cumulative() -> list[int]:
    return [sum(_SHARES[: end + 1]) for end in range(len(_SHARES))]


def _chance(key: str, salt: int, below: int) -> str:
    """SQL: a number from 0 to `below` - 1 that follows from `key`."""
    return f"((hashint8extended({key}, {salt}) & 2147483647) %% {below})"


_TABLES = (
    *("instances_instance", "instances_auditentry", "events_subscription", "events_event", "events_delivery"),
    *("events_deliveryattempt", "events_circuittransition", "events_inbox", "events_registration", "events_callback"),
    *("events_replay", "events_decision", "polling_pollcursor", "polling_pollrun", "polling_job", "polling_bulkquery"),
)

_ORGANIZATION_OF = f"(%(organizations)s::int[])[1 + width_bucket({_chance('n', 1, 100)}, %(shares)s::int[])]"

_INSTANCES = f"""
INSERT INTO instances_instance (
    id, organization_id, user_id, element_key, name, tags, token_hash, token_encrypted, configuration_encrypted,
    provider_account, filters_nulls, is_events_enabled, event_method, callback_url, signing_keys_encrypted,
    poll_interval_minutes, raw_in_notifications, callback_types, accepts_unsigned_callbacks, subscription_id,
    registration_problem, is_disabled, is_valid, invalid_reason, created_at, updated_at
)
SELECT n, organization_id, (SELECT min(id) FROM instances_user WHERE organization_id = made.organization_id),
    element_key, format('%%s of customer %%s', CASE WHEN is_told THEN 'Help desk' ELSE 'CRM' END, n),
    CASE n %% 4 WHEN 0 THEN '{{}}'::text[] WHEN 1 THEN '{{production}}' WHEN 2 THEN '{{production,"team a"}}'
        ELSE ARRAY['customer ' || n %% 500] END,
    md5(n::text) || md5('token' || n), %(secret)s, %(secret)s, md5((n / 2)::text), true,
    chance >= 8, CASE WHEN is_told THEN 'webhook' ELSE 'polling' END,
    format('https://hooks.example.com/%%s', n), '', 15, 'own', '', false, '',
    CASE WHEN is_told AND chance BETWEEN 50 AND 53 THEN 'contact at level owner: the provider answered 403' ELSE '' END,
    chance BETWEEN 8 AND 11, chance NOT BETWEEN 20 AND 22,
    CASE WHEN chance BETWEEN 20 AND 22 THEN 'The provider refused the credentials.' ELSE '' END,
    now() - interval '90 days' + n * interval '5 min', now() - (n %% 700) * interval '1 hour'
FROM (
    SELECT n, {_ORGANIZATION_OF} AS organization_id, n %% 2 = 0 AS is_told, {_chance("n", 2, 100)} AS chance,
        CASE WHEN n %% 2 = 0 THEN 'connectwisehd' ELSE 'connectwisecrmrest' END AS element_key
    FROM generate_series(1, %(instances)s) AS n
) AS made
"""

_SUBSCRIPTIONS = f"""
INSERT INTO events_subscription (
    id, organization_id, instance_id, channel, topics, url, state, deactivated_reason, created_at, updated_at
)
SELECT id, organization_id, id, 'webhook', ARRAY[format('instance-%%s-%%s-events', id, element_key)], callback_url,
    CASE WHEN {_chance("id", 3, 100)} < 2 THEN 'deactivated' ELSE 'active' END,
    CASE WHEN {_chance("id", 3, 100)} < 2 THEN 'It answered 500 for 4 days.' ELSE '' END, created_at, updated_at
FROM instances_instance
UNION ALL
SELECT 10 * %(instances)s + n, (%(organizations)s::int[])[1 + n %% cardinality(%(organizations)s::int[])], NULL,
    'webhook', '{{orders}}', format('https://reports.example.com/%%s', n), 'active', '', now(), now()
FROM generate_series(1, 160) AS n
"""

# Some instances have much more of them than others. Ids grow with time.
_EVENTS = f"""
INSERT INTO events_event (id, instance_id, source, topic, change_count, body, created_at)
SELECT n, instance_id, CASE WHEN instance_id %% 2 = 0 THEN 'webhook' ELSE 'poll' END, '', 1 + n %% 3,
    convert_to(format(
        '{{"id":"%%s","message":{{"eventId":"%%s","instance_id":%%s,"events":[{{"eventType":"UPDATED","objectType":"contacts",'
        '"objectId":"%%s","date":"2026-11-22T10:00:00Z"}}],"raw":{{"contacts":[{{"id":%%s,"notes":"%%s"}}]}}}}}}',
        n, n, instance_id, n %% 5000, n %% 5000, repeat('x', 400)), 'utf8'),
    now() - (%(events)s - n) * (interval '1 day' * %(days)s / %(events)s)
FROM (
    SELECT n, 1 + floor(%(instances)s * power({_chance("n", 4, 1_000_000)} / 1e6, 2))::bigint AS instance_id
    FROM generate_series(1, %(events)s) AS n
) AS made
"""

# A tenth goes to a second subscription of the same organization, too.
_DELIVERIES = f"""
INSERT INTO events_delivery (
    id, event_id, subscription_id, organization_id, state, attempts_made, first_failed_at, next_attempt_at, epoch,
    created_at, updated_at
)
SELECT row_number() OVER (ORDER BY event_id, subscription_id), event_id, subscription_id, organization_id, state,
    CASE state WHEN 'delivered' THEN 1 WHEN 'pending' THEN event_id %% 4 WHEN 'queued' THEN 1 ELSE 9 END,
    CASE WHEN state <> 'delivered' AND NOT (state = 'pending' AND event_id %% 4 = 0) THEN created_at END,
    CASE state WHEN 'pending' THEN now() + interval '3 days' ELSE created_at END, 1, created_at,
    created_at + interval '1 s'
FROM (
    SELECT event.id AS event_id, subscription.id AS subscription_id, subscription.organization_id, event.created_at,
        CASE WHEN subscription.state = 'deactivated' AND {_chance("event.id", 5, 100)} < 60 THEN 'queued'
            WHEN {_chance("event.id", 6, 1000)} < 12 THEN 'abandoned'
            WHEN event.created_at > now() - interval '3 days' AND {_chance("event.id", 6, 1000)} < 150 THEN 'pending'
            ELSE 'delivered' END AS state
    FROM events_event AS event JOIN events_subscription AS subscription ON subscription.instance_id = event.instance_id
    UNION ALL
    SELECT event.id, 10 * %(instances)s + 1 + event.id %% 160, instance.organization_id, event.created_at, 'delivered'
    FROM events_event AS event JOIN instances_instance AS instance ON instance.id = event.instance_id
    WHERE event.id %% 10 = 0
) AS made
"""

_ATTEMPTS = """
INSERT INTO events_deliveryattempt (
    delivery_id, number, started_at, duration_ms, status, error_class, error, response_excerpt
)
SELECT id, number, created_at + interval '4 s' * (number - 1), 20 + id %% 180,
    CASE WHEN is_failure THEN CASE id %% 3 WHEN 0 THEN NULL WHEN 1 THEN 500 ELSE 503 END ELSE 204 END,
    CASE WHEN is_failure THEN CASE id %% 3 WHEN 0 THEN 'timeout' ELSE 'http_5xx' END ELSE '' END,
    CASE WHEN is_failure THEN 'no answer within 15 s' ELSE '' END,
    CASE WHEN is_failure THEN '<h1>Internal Server Error</h1>' ELSE '' END
FROM events_delivery AS delivery
CROSS JOIN LATERAL generate_series(1, delivery.attempts_made) AS number
CROSS JOIN LATERAL (SELECT delivery.state <> 'delivered' AS is_failure) AS outcome
"""

_CIRCUITS = f"""
INSERT INTO events_circuit (
    subscription_id, state, window_failures, window_successes, failing_since, failures, warned_percent, opened_at,
    next_probe_at, trips, recovering_since, recovering_claims, paused_until, changed_at
)
SELECT id, CASE WHEN chance < 3 THEN 'open' WHEN chance = 3 THEN 'recovering' ELSE 'closed' END, 0, 0,
    CASE WHEN chance < 3 THEN now() - interval '2 hours' END, 4, 0,
    CASE WHEN chance < 3 THEN now() - interval '2 hours' END, CASE WHEN chance < 3 THEN now() + interval '1 hour' END,
    1, CASE WHEN chance = 3 THEN now() END, 0, NULL, now() - interval '2 hours'
FROM (SELECT id, {_chance("id", 7, 100)} AS chance FROM events_subscription) AS made WHERE chance < 8
"""

_TRANSITIONS = """
INSERT INTO events_circuittransition (subscription_id, kind, reason, happened_at, alerted_at)
SELECT subscription_id, CASE n %% 2 WHEN 0 THEN 'closed' ELSE 'opened' END, 'It answered 500 five times in a row.',
    now() - (20 - n) * interval '1 hour', now()
FROM events_circuit CROSS JOIN generate_series(1, 20) AS n
"""

_INBOXES = f"""
INSERT INTO events_inbox (
    id, instance_id, element_key, token_hash, token_encrypted, is_open, accepts_unsigned, parting_encrypted,
    wanted_version, reconciled_version, next_check_at, epoch, failures, last_error, last_checked_at, refused_count,
    last_refused_reason, suspect_reason, created_at
)
SELECT id, id, element_key, md5('inbox' || id) || md5(id::text), %(secret)s, is_events_enabled, false, '', 1,
    CASE WHEN registration_problem = '' THEN 1 ELSE 0 END, now() + interval '1 day', 1,
    CASE WHEN registration_problem = '' THEN 0 ELSE 3 END, registration_problem, now() - interval '1 hour',
    {_chance("id", 8, 3)}, '', '', created_at
FROM instances_instance WHERE event_method = 'webhook'
"""

_REGISTRATIONS = """
INSERT INTO events_registration (
    inbox_id, type, level, object_id, state, provider_id, last_error, registered_at, checked_at
)
SELECT inbox.id, type, 'owner', '1', CASE WHEN inbox.failures > 0 AND type = 'contact' THEN 'missing' ELSE 'active' END,
    CASE WHEN inbox.failures > 0 AND type = 'contact' THEN '' ELSE inbox.id::text END,
    CASE WHEN inbox.failures > 0 AND type = 'contact' THEN 'the provider answered 403' ELSE '' END,
    inbox.created_at, now() - interval '1 hour'
FROM events_inbox AS inbox CROSS JOIN unnest(ARRAY['company', 'contact', 'ticket', 'activity']) AS type
"""

_CALLBACKS = f"""
INSERT INTO events_callback (
    instance_id, state, reason, method, query, content_type, signature, body, message_id, received_at, attempts_made,
    next_attempt_at, epoch
)
SELECT instance_id, CASE WHEN n %% 997 = 0 THEN 'parked' WHEN n %% 499 = 0 THEN 'refused'
    WHEN n > %(events)s / 4 - 50 THEN 'waiting' ELSE 'done' END,
    CASE WHEN n %% 997 = 0 THEN 'ConnectWise sent something that we do not know yet' ELSE '' END,
    'POST', '', 'application/json', '', '{{}}', 'm-' || n,
    now() - (%(events)s / 4 - n) * (interval '1 day' * %(days)s / (%(events)s / 4)), 1, now() + interval '1 day', 1
FROM (
    SELECT n, 2 * (1 + {_chance("n", 9, 1_000_000)} %% greatest(1, %(instances)s / 2)) AS instance_id
    FROM generate_series(1, %(events)s / 4) AS n
) AS made
"""

_CURSORS = f"""
INSERT INTO polling_pollcursor (
    instance_id, resource, watermark, baseline_at, is_baseline_read, reads, next_poll_at, epoch, is_active,
    stopped_reason, failures, last_error, last_polled_at, covered_at, last_change_count, created_at
)
SELECT instance.id, resource, now() - interval '20 min', instance.created_at, true, resource,
    now() + ({_chance("instance.id", 10, 1800)} - 200) * interval '1 s', 1, {_chance("instance.id", 11, 100)} >= 2,
    CASE WHEN {_chance("instance.id", 11, 100)} < 2 THEN 'The provider refused the credentials.' ELSE '' END,
    CASE WHEN {_chance("instance.id", 12, 100)} < 4 THEN 3 ELSE 0 END,
    CASE WHEN {_chance("instance.id", 12, 100)} < 4 THEN 'the provider answered 500' ELSE '' END,
    now() - interval '10 min', now() - interval '10 min', 2, instance.created_at
FROM instances_instance AS instance CROSS JOIN unnest(ARRAY['contacts', 'organizations', 'incidents']) AS resource
WHERE is_events_enabled AND event_method = 'polling'
"""

_RUNS = """
INSERT INTO polling_pollrun (
    instance_id, resource, began_at, since, until, record_count, change_count, error, budget
)
SELECT cursor.instance_id, cursor.resource, moment, moment - interval '20 min', moment, 4, 2,
    CASE WHEN cursor.failures > 0 AND n < 3 THEN cursor.last_error ELSE '' END, ''
FROM polling_pollcursor AS cursor CROSS JOIN generate_series(1, 20) AS n
CROSS JOIN LATERAL (SELECT now() - n * interval '3 hours' AS moment) AS began
"""

_DECISIONS = """
INSERT INTO events_decision (instance_id, object_type, object_id, source, decision, reason, decided_at)
SELECT 1 + n %% %(instances)s, 'contacts', n::text, 'poll', 'repeat', '', now() - (n %% 4000) * interval '1 min'
FROM generate_series(1, %(events)s / 10) AS n
"""

_REPLAYS = """
INSERT INTO events_replay (
    organization_id, created_by_id, wanted, rate, state, total, total_bytes, last_id, position, begun, passed_over,
    next_step_at, created_at, finished_at
)
SELECT person.organization_id, person.id, '{"statuses": ["abandoned"]}', 50, 'finished', 100, 100000, 1, 1, 100, 0,
    now(), now() - n * interval '2 hours', now() - n * interval '2 hours'
FROM instances_user AS person CROSS JOIN generate_series(1, 40) AS n
WHERE person.role = 'owner' AND person.organization_id IS NOT NULL
"""

_AUDIT = """
INSERT INTO instances_auditentry (
    organization_id, user_id, who, through, action, instance_id, instance_name, subject, detail, happened_at
)
SELECT instance.organization_id, instance.user_id, format('owner%%s@example.com', instance.organization_id), 'console',
    (ARRAY['events switched on', 'events switched off', 'body viewed', 'redelivered'])[1 + n %% 4],
    instance.id, instance.name, '', '', now() - (%(events)s / 5 - n) * interval '20 s'
FROM generate_series(1, %(events)s / 5) AS n JOIN instances_instance AS instance ON instance.id = 1 + n %% %(instances)s
"""

_JOBS = """
INSERT INTO polling_job (
    instance_id, user_id, name, description, method, uri, query, cron, next_run_at, epoch, is_active, stopped_reason,
    failures, last_run_at, last_status, last_error, created_at
)
SELECT id, user_id, 'Nightly contacts', '', 'GET', '/hubs/crm/contacts', '{}', '0 3 * * *',
    now() + interval '9 hours', 1, true, '', 0, now() - interval '15 hours',
    CASE id %% 9 WHEN 0 THEN 'failed' ELSE 'succeeded' END, '', created_at
FROM instances_instance WHERE id %% 5 = 1
"""

_BULK = """
INSERT INTO polling_bulkquery (
    instance_id, collection, selected, "where", callback_url, state, page_token, page_count, record_count, byte_count,
    message, next_step_at, epoch, failures, created_at, finished_at
)
SELECT id, 'contacts', '{}', '', '', 'completed', '', 10, 2000, 400000, '', now(), 1, 0, now() - interval '1 day', now()
FROM instances_instance WHERE id %% 10 = 1
"""

_HEARTBEATS = """
INSERT INTO instances_heartbeat (queue, seen_at, worker)
SELECT queue, now() + interval '1 day', 'benchmark' FROM unnest(ARRAY['polling', 'delivery', 'callbacks']) AS queue
"""

_STATEMENTS = (
    *(_INSTANCES, _SUBSCRIPTIONS, _EVENTS, _DELIVERIES, _ATTEMPTS, _CIRCUITS, _TRANSITIONS, _INBOXES, _REGISTRATIONS),
    *(_CALLBACKS, _CURSORS, _RUNS, _DECISIONS, _REPLAYS, _AUDIT, _JOBS, _BULK, _HEARTBEATS),
)
