// The form of an instance. The JSON of the poller configuration is the truth: the list of resources reads and writes it.
// What people typed stays in the browser until it was taken: answers of the server bring only what is to be said about it.
"use strict";

const byId = (id) => document.getElementById(id);
const dataOfForm = () => JSON.parse(byId("instance-form-data").textContent);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function typeInto(control, text) {
  control.value = text;
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

function announce(text) {
  byId("form-announcement").textContent = text;
}

document.addEventListener("alpine:init", () => {
  Alpine.data("pollers", (textId) => ({
    settings: {},
    kept: {}, // of resources that were deselected: selected again, they are as they were
    known: [],
    unreadable: "",
    isJson: false,
    edited: "",
    parts: [
      { key: "DateField", label: "Field", list: null },
      { key: "DateFormat", label: "Format", list: "poller-formats" },
      { key: "DateTimezone", label: "Time zone", list: "poller-zones" },
    ],

    init() {
      this.known = dataOfForm().resources;
      this.read();
    },
    get text() {
      return byId(textId);
    },
    get rows() {
      const names = this.known.filter((one) => one.is_default).map((one) => one.name);
      const all = new Set([...names, ...Object.keys(this.kept), ...Object.keys(this.settings)]);
      return [...all].map((name) => ({ name, isSelected: Object.hasOwn(this.settings, name) }));
    },
    get others() {
      const shown = new Set(this.rows.map((row) => row.name));
      return this.known.map((one) => one.name).filter((name) => !shown.has(name));
    },
    read() {
      this.unreadable = "";
      const text = this.text.value.trim();
      if (!text) {
        this.readNothing();
        return;
      }
      let value;
      try {
        value = JSON.parse(text);
      } catch (error) {
        this.unreadable = error.message;
        return;
      }
      if (isObject(value) && Object.values(value).every(isObject)) this.settings = value;
      else this.unreadable = "It needs an object with one object for each resource.";
    },
    // Nothing typed is not nothing polled.
    readNothing() {
      const defaults = Alpine.raw(this.known).filter((one) => one.is_default);
      const settings = Object.fromEntries(defaults.map((one) => [one.name, one.settings]));
      if (this.text.defaultValue.trim()) this.settings = structuredClone(settings);
      else this.unreadable = "What is polled is said by event.poller.urls, until something is typed here.";
    },
    write() {
      typeInto(this.text, JSON.stringify(this.settings, null, 2));
    },
    value(name, ...path) {
      const found = path.reduce((held, key) => (isObject(held) ? held[key] : undefined), this.settings[name]);
      return found === undefined || found === null ? "" : String(found);
    },
    change(name, ...pathAndText) {
      const text = pathAndText.pop();
      const last = pathAndText.pop();
      const settings = structuredClone(Alpine.raw(this.settings));
      let held = settings[name];
      for (const key of pathAndText) held = isObject(held[key]) ? held[key] : (held[key] = {});
      if (text === "") delete held[last];
      else held[last] = text;
      this.settings = settings;
      this.write();
    },
    select(name, isSelected) {
      if (!name) return;
      const settings = structuredClone(Alpine.raw(this.settings));
      if (isSelected) {
        const known = this.known.find((one) => one.name === name);
        settings[name] = structuredClone(Alpine.raw(this.kept[name] ?? known?.settings ?? {}));
      } else {
        this.kept[name] = settings[name];
        delete settings[name];
      }
      this.settings = settings;
      this.write();
    },
  }));

  Alpine.data("interval", () => ({
    stops: dataOfForm().stops,
    minutes: "",

    init() {
      this.minutes = this.$root.querySelector("[name]").value;
    },
    get place() {
      const wanted = Number.parseFloat(this.minutes);
      if (!(wanted >= 0)) return 0;
      const apart = this.stops.map((stop) => Math.abs(Math.log((stop + 0.01) / (wanted + 0.01))));
      return apart.indexOf(Math.min(...apart));
    },
    slider: {
      ["min"]: 0,
      [":max"]: "stops.length - 1",
      [":value"]: "place",
      [":aria-valuetext"]: "(minutes || 'no number of') + ' minutes'",
      ["@input"]() {
        this.minutes = String(this.stops[this.$el.value]);
        typeInto(this.$root.querySelector("[name]"), this.minutes);
      },
    },
    box: {
      ["@input"]() {
        this.minutes = this.$el.value;
      },
    },
  }));

  Alpine.data("tags", (textId) => ({
    chosen: [],

    init() {
      this.chosen = this.lines(byId(textId).value);
    },
    lines(text) {
      return [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];
    },
    keep(chosen) {
      this.chosen = chosen;
      typeInto(byId(textId), chosen.join("\n"));
    },
    add() {
      const entry = byId("field-tags-new");
      const tag = entry.value.trim();
      if (tag && !this.chosen.includes(tag)) {
        this.keep([...this.chosen, tag]);
        announce(`Tag ${tag} added.`);
      }
      entry.value = "";
    },
    remove(tag) {
      this.keep(this.chosen.filter((one) => one !== tag));
      announce(`Tag ${tag} removed.`);
      byId("field-tags-new").focus();
    },
    label: { [":for"]: "'field-tags-new'" },
    plain: { ["x-show"]: "false" },
    entry: {
      ["@keydown.enter.prevent"]() {
        this.add();
      },
      ["@change"]() {
        // Picked from the list, or typed and left.
        this.add();
      },
    },
  }));
});

// A key of 32 random bytes, as text that fits into any header or file of settings.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function show(control, isShown) {
  control.type = isShown ? "text" : "password";
  const button = document.querySelector(`[data-show="${control.id}"]`);
  button.setAttribute("aria-pressed", String(isShown));
  button.lastChild.textContent = isShown ? "Hide" : "Show";
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https there is no clipboard to write to, except for what is selected.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    if (!isCopied) {
      announce("Your browser did not let us copy; select the text instead.");
      return false;
    }
  }
  announce(`${what} copied.`);
  return true;
}

function flash(button, text) {
  const label = button.lastChild;
  const before = label.textContent;
  if (before === text) return;
  label.textContent = text;
  setTimeout(() => (label.textContent = before), 2000);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { generateInto, show: shownId, copy: copiedId, copyText } = button.dataset;
  if (generateInto) {
    const control = byId(generateInto);
    show(control, true);
    typeInto(control, newKey());
    announce("A key was generated. Copy it now: once saved, it is not shown again.");
  } else if (shownId) {
    const control = byId(shownId);
    show(control, control.type === "password");
  } else if (copiedId || copyText) {
    const text = copiedId ? byId(copiedId).value : byId(copyText).textContent;
    if (!text) {
      announce("There is nothing to copy: type or generate a key first.");
      flash(button, "Nothing typed");
      return;
    }
    button.focus();
    const isCopied = await copy(text, copiedId ? "The key was" : "The request was");
    button.focus();
    flash(button, isCopied ? "Copied" : "Not copied");
  }
});

// A problem that was mended is not told any longer.
document.addEventListener("input", (event) => {
  const control = event.target;
  if (control.getAttribute("aria-invalid")) {
    control.removeAttribute("aria-invalid");
    control.dataset.mended = ""; // what was revealed for it stays, under the fingers of who types
    const slot = byId(`${control.id}-problem`);
    if (slot) slot.textContent = "";
  }
});

function markInvalid() {
  const form = byId("instance-form");
  for (const slot of form.querySelectorAll(".form-problem")) {
    const control = byId(slot.id.replace(/-problem$/, ""));
    if (!control) continue;
    if (slot.textContent.trim()) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
}

function isVisible(control) {
  return control.getClientRects().length > 0;
}

// The JSON is folded away while there is a list, and so are the lines of the tags: then what stands in for them.
function reachable(control) {
  if (!control || isVisible(control)) return control;
  return [...(control.closest(".form-field")?.querySelectorAll("input, select, textarea, button") ?? [])].find(isVisible);
}

function goTo(target) {
  target.focus();
  target.scrollIntoView({ block: "center" });
}

function focusFirstProblem() {
  const invalid = [...document.querySelectorAll("#instance-form [aria-invalid='true']")];
  goTo(invalid.map(reachable).find(Boolean) ?? byId("form-report"));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#instance-form a[href^='#field-']");
  const target = link && reachable(byId(link.hash.slice(1)));
  if (!target) return;
  event.preventDefault();
  goTo(target);
});

// Whoever is not signed in any more is sent to another page, which belongs nowhere into this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  const path = (url) => new URL(url, location.href).pathname;
  if (!xhr.responseURL || path(xhr.responseURL) === path(requestConfig.path)) return;
  event.detail.shouldSwap = false;
  if (isByHand(requestConfig.elt)) tell(requestConfig.elt, "You are not signed in any more. Sign in in another tab, then try again here: what you typed is kept.");
});

const isByHand = (element) => element.id === "instance-form" || element.id === "instance-form-try";

document.addEventListener("htmx:beforeRequest", (event) => {
  const asking = event.detail.elt;
  if (!isByHand(asking)) return;
  byId("instance-form").classList.add(asking.id === "instance-form" ? "is-saving" : "is-trying");
  for (const id of ["instance-form-save", "instance-form-try"]) byId(id)?.setAttribute("aria-disabled", "true");
  byId("form-report").replaceChildren();
  if (asking.id === "instance-form-try") byId("try-outcome").textContent = "Asking the provider…";
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (!isByHand(event.detail.elt)) return;
  byId("instance-form").classList.remove("is-saving", "is-trying");
  for (const id of ["instance-form-save", "instance-form-try"]) byId(id)?.removeAttribute("aria-disabled");
});

document.addEventListener("htmx:afterSettle", (event) => {
  const asked = event.detail.requestConfig?.elt ?? event.detail.elt;
  markInvalid();
  if (asked.id === "instance-form" && document.querySelector("#form-report [data-problems]")) focusFirstProblem();
  // The buttons that stay at the foot of the window would lie over the answer.
  if (asked.id === "instance-form-try") byId("try-outcome").scrollIntoView({ block: "center" });
});

function tell(asking, text) {
  const place = byId(asking.id === "instance-form" ? "form-report" : "try-outcome");
  const note = document.createElement("p");
  note.className = "console-note is-bad";
  note.textContent = text;
  place.replaceChildren(note);
  place.scrollIntoView({ block: "center" });
}

function explainSilence(event) {
  if (!isByHand(event.detail.elt)) return;
  const { status } = event.detail.xhr;
  if (status === 403) tell(event.detail.elt, "You may not do this, or you are not signed in any more. Sign in in another tab, then try again here.");
  else if (status === 404) tell(event.detail.elt, "This instance is gone.");
  else tell(event.detail.elt, "The console did not answer. What you typed is still here: look whether it was done, then try again.");
}
document.addEventListener("htmx:sendError", explainSilence);
document.addEventListener("htmx:responseError", explainSilence);

document.addEventListener("DOMContentLoaded", () => {
  if (!byId("instance-form")) return;
  for (const button of document.querySelectorAll("#instance-form button[hidden]")) button.hidden = false;
  if (document.querySelector("#form-report [data-problems]")) focusFirstProblem();
  else document.querySelector("#instance-form .form-main input:not([type=hidden]):not([type=checkbox])")?.focus();
});
