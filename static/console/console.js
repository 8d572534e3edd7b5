// What every page of the console does. htmx evaluates nothing, and every request it makes carries the CSRF token.
"use strict";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (token) event.detail.headers["X-CSRFToken"] = decodeURIComponent(token[1]);
});

// Pages are hidden until Alpine has begun, and a browser puts the focus on nothing that is hidden.
document.addEventListener("alpine:initialized", () => setTimeout(() => {
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
}));

// On a phone the tab that is open may lie beyond the edge.
document.addEventListener("alpine:initialized", () => setTimeout(() => {
  const open = document.querySelector(".console-tabs [aria-current]");
  const tabs = open?.parentElement;
  if (tabs && tabs.scrollWidth > tabs.clientWidth) tabs.scrollLeft += open.getBoundingClientRect().right - tabs.getBoundingClientRect().right + 48;
}));

// "3 minutes ago" stays true while a page is open; `instances/console/moments.py` says it the same way.
const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

function relative(moment, now) {
  const apart = (moment - now) / 1000;
  if (Math.abs(apart) < 5) return apart > 0 ? "in a moment" : "just now";
  const seconds = Math.floor(Math.abs(apart));
  const [size, unit] = UNITS.find(([length]) => seconds >= length);
  const count = Math.floor(seconds / size);
  const said = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return apart > 0 ? `in ${said}` : `${said} ago`;
}

setInterval(() => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const said = relative(new Date(time.dateTime), Date.now());
    if (time.textContent !== said) time.textContent = said;
  }
}, 5000);

// What htmx was refused, where the page itself does not say so.
function complain(said) {
  const banner = document.getElementById("console-banner");
  if (!banner) return;
  const note = document.createElement("div");
  note.className = "console-note is-warning";
  note.id = "console-complaint";
  const text = document.createElement("p");
  text.textContent = said;
  note.append(text);
  document.getElementById(note.id)?.remove();
  banner.append(note);
}

document.addEventListener("htmx:responseError", (event) => {
  // Who answers errors in place prevents this.
  if (event.detail.shouldSwap || event.target.closest("[data-quiet]")) return;
  const status = event.detail.xhr.status;
  if (status === 403) complain("You may not do this, or this page was open too long. Nothing was changed. Reload it and try again.");
  else if (status === 404) complain("It is gone. Reload the page.");
  else complain("Something of ours failed. Try again in a moment.");
});
document.addEventListener("htmx:sendError", (event) => {
  if (event.target.closest("[data-quiet]")) return;
  complain("The console does not answer. Check your connection and try again.");
});
