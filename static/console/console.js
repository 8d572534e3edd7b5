// What every page of the console does. htmx evaluates nothing, and every request it makes carries the CSRF token.
"use strict";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (token) event.detail.headers["X-CSRFToken"] = decodeURIComponent(token[1]);
});

// "3 minutes ago" stays true while a page is open; `instances/console/moments.py` says it the same way.
const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

function relative(moment, now) {
  const apart = (moment - now) / 1000;
  if (Math.abs(apart) < 5) return "just now";
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
