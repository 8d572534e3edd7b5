// The form of a replay: buttons for usual spans, and one click is one replay.
"use strict";

const spans = document.querySelector("[data-replay-spans]");
if (spans) {
  spans.hidden = false;
  spans.addEventListener("click", (event) => {
    const button = event.target.closest("[data-replay-hours]");
    if (!button) return;
    const hours = Number(button.dataset.replayHours);
    const begins = new Date(Date.now() - hours * 3600 * 1000);
    document.getElementById("from").value = hours ? begins.toISOString().slice(0, 19) : "";
    document.getElementById("to").value = "";
  });
}

for (const form of document.querySelectorAll("[data-replay-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
  });
}
// Somebody who comes back with the browser's button may send it again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-replay-once]")) delete form.dataset.sent;
});
