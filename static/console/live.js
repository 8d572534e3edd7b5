// Keeps what is marked `data-live` up to date while somebody looks at it, without taking anything out of their hands:
// not while rows are chosen or text is marked, and what has the focus keeps it.
"use strict";

(() => {
  const EVERY = 4000;
  const box = document.querySelector("[data-live]");
  if (!box) return;
  const button = document.querySelector("[data-live-switch]");
  const label = document.getElementById("live-label");
  const news = document.querySelector("[data-live-news]");
  const KEPT = "console-live";
  let isOn = true;
  let isAway = false;
  let isOver = false;
  let kept = "";

  const rowsOf = (root) => [...root.querySelectorAll("[data-row]")].map((one) => one.dataset.row);
  const say = (text) => {
    if (news) news.textContent = text;
  };

  function show() {
    if (!button) return;
    button.setAttribute("aria-checked", String(isOn));
    button.setAttribute("aria-busy", String(isAway));
    label.textContent = isAway ? "Not reachable, trying again" : isOn ? "Live" : "Paused";
  }

  function isInUse() {
    const marked = document.getSelection();
    const isMarking = marked && !marked.isCollapsed && box.contains(marked.anchorNode);
    return isMarking || box.querySelector("input.action-select:checked") !== null;
  }

  // A drawn scroll bar moves the rows into boxes of its own, and what had the focus loses it.
  function plain(root) {
    for (const one of root.querySelectorAll("[data-simplebar]")) one.removeAttribute("data-simplebar");
  }

  // Something to find again after the rows have been replaced.
  function handle(element) {
    if (!element || !box.contains(element)) return null;
    if (element.id) return `#${CSS.escape(element.id)}`;
    const href = element.getAttribute("href");
    if (href) return `a[href="${CSS.escape(href)}"]`;
    if (element.dataset.redeliver) return `[data-redeliver="${CSS.escape(element.dataset.redeliver)}"]`;
    const details = element.closest("details[id]");
    if (details && element.tagName === "SUMMARY") return `#${CSS.escape(details.id)} > summary`;
    if (element.name && element.value) return `[name="${CSS.escape(element.name)}"][value="${CSS.escape(element.value)}"]`;
    return null;
  }

  function replace(text) {
    const before = new Set(rowsOf(box));
    // What comes in at the end of a full page is older: something above it has gone.
    const oldest = box.querySelector("a[rel=next]") ? Math.min(...[...before].map(Number)) : 0;
    const focused = handle(document.activeElement);
    const open = [...box.querySelectorAll("details[open][id]")].map((one) => one.id);
    const page = new DOMParser().parseFromString(text, "text/html");
    // Something else that answers, such as the login page, has no such box.
    const fresh = page.getElementById(box.id);
    if (!fresh) return false;
    isOver = !("live" in fresh.dataset);
    // Tokens of forms are other ones each time.
    const inside = fresh.innerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
    if (inside === kept) return true;
    kept = inside;
    plain(fresh);
    box.replaceChildren(...document.importNode(fresh, true).childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) box.querySelector(focused)?.focus({ preventScroll: true });
    const added = rowsOf(box).filter((id) => !before.has(id) && Number(id) > oldest);
    for (const id of added) {
      box.querySelector(`[data-row="${CSS.escape(id)}"]`)?.closest("tr")?.classList.add("is-new");
    }
    if (added.length) say(`${added.length} new ${added.length === 1 ? news?.dataset.noun : news?.dataset.nouns}`);
    return true;
  }

  async function refresh() {
    if (!isOn || document.hidden || isInUse()) return;
    try {
      const answer = await fetch(location.href, {
        headers: { "X-Console-Part": box.id },
        redirect: "error",
        credentials: "same-origin",
      });
      const text = await answer.text();
      isAway = !answer.ok;
      if (answer.ok && isOn && !isInUse() && box.isConnected) isAway = !replace(text);
    } catch {
      isAway = true;
    }
    show();
  }

  // The admin's own script knows only the checkboxes that were there at first.
  box.addEventListener("change", ({ target }) => {
    const boxes = [...box.querySelectorAll("input.action-select")];
    const toggle = document.getElementById("action-toggle");
    if (target === toggle) for (const one of boxes) one.checked = toggle.checked;
    else if (!target.classList.contains("action-select")) return;
    const chosen = boxes.filter((one) => one.checked);
    for (const one of boxes) one.closest("tr").classList.toggle("selected", one.checked);
    if (toggle) toggle.checked = chosen.length === boxes.length;
    const counter = document.querySelector("span.action-counter");
    if (counter) counter.textContent = `${chosen.length} of ${boxes.length} selected`;
  });

  button?.addEventListener("click", () => {
    isOn = !isOn;
    isAway = false;
    sessionStorage.setItem(KEPT, isOn ? "on" : "off");
    say(isOn ? "Live" : "Paused");
    show();
    refresh();
  });
  if (button && sessionStorage.getItem(KEPT) === "off") isOn = false;
  plain(box);
  show();

  (function again() {
    // What has come to its end changes no more by itself.
    if (!isOver) setTimeout(() => refresh().finally(again), EVERY);
  })();
})();
