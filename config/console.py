"""How the console is wired: which site it is, how it looks, and what its menu holds. Part of the settings."""

from __future__ import annotations

import tomllib
from typing import Any

from django.contrib.admin.apps import SimpleAdminConfig
from django.templatetags.static import static
from django.urls import reverse_lazy

from config.environment import BASE_DIR


class ConsoleConfig(SimpleAdminConfig):
    """Only who serves its pages loads them: see `config.urls`."""

    default_site = "instances.console.site.ConsoleSite"


def _entry(title: str, icon: str, page: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{page}"), **more}


_FOR_OWNERS = {"permission": "instances.console.lists.may_administer"}


UNFOLD = {
    "RELEASE": tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"],
    "SITE_TITLE": "Switchyard",
    "SITE_HEADER": "Switchyard",
    "SITE_SUBHEADER": "Connector instances",
    "SITE_SYMBOL": "conversion_path",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/switchyard.svg")}
    ],
    "LOGIN": {"form": "instances.console.sign_in.SignInForm"},
    "ACCOUNT": {
        "navigation": [
            {"title": "API secrets", "link": reverse_lazy("admin:own_secrets")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ]
    },
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("console/console.css")],
    "SCRIPTS": [lambda request: static("console/console.js")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    _entry("Home", "home", "index"),
                    _entry("Instances", "hub", "instances_instance_changelist"),
                ]
            },
            {
                "title": "Activity",
                "separator": True,
                "items": [
                    _entry("Events", "bolt", "events_event_changelist"),
                    _entry("Deliveries", "send", "events_delivery_changelist"),
                    _entry("Subscriptions", "cell_tower", "events_subscription_changelist"),
                    _entry("Replays", "replay", "events_replay_changelist"),
                ],
            },
            {
                "title": "Providers",
                "separator": True,
                "items": [
                    _entry("Pollers", "update", "polling_pollcursor_changelist"),
                    _entry("Registrations", "app_registration", "events_registration_changelist"),
                    _entry("Callbacks", "call_received", "events_callback_changelist"),
                    _entry("Jobs", "schedule", "polling_job_changelist"),
                    _entry("Bulk downloads", "download", "polling_bulkquery_changelist"),
                ],
            },
            {
                "title": "Organization",
                "separator": True,
                "items": [
                    _entry("Settings", "apartment", "instances_organization_changelist"),
                    _entry("People", "group", "instances_user_changelist"),
                    _entry("Audit log", "policy", "instances_auditentry_changelist", **_FOR_OWNERS),
                ],
            },
        ],
    },
}
