// Renews the home page, while somebody can see it and is not in the middle of marking something.
"use strict";

const REFRESH_MS = 15000;

function refresh() {
  const live = document.getElementById("home-live");
  if (live && !document.hidden && String(window.getSelection()) === "") htmx.trigger(live, "console:refresh");
}

setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", refresh);
