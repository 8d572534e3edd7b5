// The list of instances and an instance's page: what the switch answers is said aloud, secrets are copied and hidden.
"use strict";

(() => {
  // A page of an instance may name this script more than once.
  if (window.consoleInstances) return;
  window.consoleInstances = true;

  const live = document.createElement("div");
  live.className = "console-visually-hidden";
  live.setAttribute("role", "status");
  document.addEventListener("DOMContentLoaded", () => document.body.append(live));

  function announce(text) {
    live.textContent = "";
    setTimeout(() => { live.textContent = text; }, 50);
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    const said = event.target.querySelector?.("[data-announce]");
    if (said) announce(said.textContent.replace(/\s+/g, " ").trim());
    event.target.querySelector?.("[data-focus]")?.select();
    const box = event.target.closest?.(".events-switch");
    if (box?.consoleHadFocus && document.activeElement === document.body) box.querySelector("[role=switch]")?.focus();
  });

  // No answer, or one that is no switch: say so where the switch is, and leave it as it was.
  function couldNotAsk(event) {
    const box = event.detail.target?.closest?.(".events-switch, #instance-token");
    if (!box) return;
    const status = event.detail.xhr?.status;
    const words = status === 403
      ? "Not done: your role does not let you, or you have been signed out. Reload the page."
      : status === 404 ? "Not done: this instance is gone, somebody has deleted it."
      : "Not done: the console could not be reached, or failed. Reload the page to see how it is now.";
    box.querySelector(".events-switch-message")?.remove();
    const message = document.createElement("div");
    message.className = "events-switch-message is-bad";
    message.textContent = words;
    box.append(message);
    announce(words);
  }
  document.addEventListener("htmx:responseError", couldNotAsk);
  document.addEventListener("htmx:sendError", couldNotAsk);
  document.addEventListener("htmx:timeout", couldNotAsk);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy], [data-hide]");
    if (!button) return;
    if (button.dataset.hide) {
      const box = document.querySelector(button.dataset.hide);
      box.innerHTML = box.consoleBefore ?? "";
      htmx.process(box);
      box.querySelector("button")?.focus();
      return;
    }
    const source = document.querySelector(button.dataset.copy);
    const label = button.firstChild;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      label.textContent = "Copied";
    } catch {
      // Without https browsers hand out no clipboard: what is selected can be copied by hand.
      source.select ? source.select() : getSelection().selectAllChildren(source);
      label.textContent = "Press Ctrl+C";
    }
    announce(label.textContent);
    setTimeout(() => { label.textContent = "Copy"; }, 3000);
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const box = event.detail.target;
    // What stood where a secret is shown now, to go back to.
    if (box?.id === "instance-token") box.consoleBefore = box.innerHTML;
  });

  // Whom the provider keeps waiting is told so; who pressed Undo stays at the switch, though the button is gone.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const box = event.detail.target;
    if (!box?.matches?.(".events-switch")) return;
    box.consoleHadFocus = box.contains(document.activeElement);
    announce(box.querySelector(".events-switch-busy").textContent);
  });
})();
