// Follows the page: parts that changed are put in their place, spans of time stay true,
// and the reader is told when the control plane does not answer.

// One policy makes HTML of what this console's own stream sent, which the server escaped.
const policy = globalThis.trustedTypes?.createPolicy("fairlead", { createHTML: (html) => html }) ?? { createHTML: (html) => html };

const { live, build, now } = document.body.dataset;
const state = document.getElementById("link-state");
const notice = document.getElementById("live-notice");
const icon = (name) => `<svg class="icon" aria-hidden="true"><use href="#i-${name}"/></svg>`;
const signs = { live: "live", again: "again" }; // of the states that are well; all others have the sign of harm

let offset = Date.parse(now) - Date.now(); // of the server's clock to this one's
let seen = Date.parse(now); // when the numbers were true, by the server's clock
let source = null; // the open stream
let heard = 0; // when it last said something, by this machine's timer
let lostAt = 0; // when the stream was lost; 0 while it is there
let wait = 0; // milliseconds to the next try
let timer = 0;
let failed = false; // the server cannot read what the page shows

document.documentElement.classList.add("js");

function write(element, html) {
  if (element.dataset.wrote === html) return; // what is said twice is read twice
  element.dataset.wrote = html;
  element.innerHTML = policy.createHTML(html);
}

function escaped(text) {
  const holder = document.createElement("span");
  holder.textContent = text;
  return holder.innerHTML;
}

function stand(name, words) {
  if (!state) return;
  state.hidden = false;
  state.dataset.state = name;
  write(state, `${icon(signs[name] ?? "harm")}<span>${words}</span>`);
}

function tell(tone, title, text, button) {
  const act = button ? `<p><button type="button" class="button button-small" data-reload>${button}</button></p>` : "";
  write(notice, !title ? "" : `<div class="notice notice-${tone} live-notice">${icon("warn")}<div><p class="notice-title">${title}</p><p>${text}</p>${act}</div></div>`);
}

const clockOf = (ms) => `${new Date(ms).toISOString().slice(11, 19)} UTC`;

function open() {
  clearTimeout(timer);
  close();
  source = new EventSource(live);
  heard = performance.now();
  source.addEventListener("hello", on(({ build: is, term, now }) => {
    if (is !== build) return anew(); // Fairlead was upgraded
    setClock(now);
    const shown = document.getElementById("term");
    if (shown && term) shown.textContent = term;
  }));
  source.addEventListener("parts", on((parts) => {
    back();
    for (const [id, html] of Object.entries(parts)) replace(id, html);
    showSpans();
  }));
  source.addEventListener("alive", on(({ now }) => setClock(now)));
  source.addEventListener("problem", on(({ text }) => failing(text)));
  source.addEventListener("end", on(({ why }) => ended(why)));
  source.onerror = () => lost();
}

// Loads the page again, though not again and again.
function anew() {
  const last = Number(sessionStorage.getItem("anew"));
  if (Date.now() - last < 10000) return;
  sessionStorage.setItem("anew", Date.now());
  location.reload();
}

// Reads an event, and notes that the server is there.
function on(handle) {
  return (event) => {
    heard = performance.now();
    handle(JSON.parse(event.data));
  };
}

function close() {
  source?.close();
  source = null;
}

function setClock(at) {
  offset = Date.parse(at) - Date.now();
  if (!lostAt && !failed) sawNow();
}

function sawNow() {
  seen = Date.now() + offset;
  const shown = document.querySelector("#as-of time");
  if (!shown) return;
  shown.dateTime = new Date(seen).toISOString();
  shown.title = shown.textContent = `${shown.dateTime.slice(0, 10)} ${clockOf(seen)}`;
}

// failing says that the server is there, but cannot read what the page shows.
function failing(text) {
  failed = Boolean(text);
  if (!failed) return back();
  lostAt = 0;
  stand("lost", "Not up to date");
  tell("harm", "This page cannot be kept up to date.", `${escaped(text)}. Numbers are as of ${clockOf(seen)}.`);
}

function back() {
  lostAt = 0;
  wait = 0;
  failed = false;
  tell();
  stand("live", "Live");
  sawNow();
}

function lost() {
  close();
  lostAt ||= performance.now();
  showLost();
  wait = Math.min(2000, wait ? wait * 2 : 250);
  clearTimeout(timer);
  timer = setTimeout(open, wait * (0.75 + Math.random() / 2));
}

function showLost() {
  if (!lostAt) return;
  if (performance.now() - lostAt < 3000) {
    stand("again", "Reconnecting");
    return;
  }
  stand("lost", "Disconnected");
  tell("harm", "The control plane does not answer.", `Traffic goes on as it was. Numbers are as of ${clockOf(seen)}. This page tries again by itself.`);
}

function ended(why) {
  if (why === "session") {
    close();
    clearTimeout(timer);
    lostAt = 0;
    stand("ended", "Logged out");
    tell("held", "Your session has ended.",
      `Numbers are as of ${clockOf(seen)}. To log in again, run <code>fairlead console</code> and open its link.`);
  } else if (why === "full") {
    close();
    lostAt = 0;
    timer = setTimeout(open, 10000);
    stand("again", "Waiting");
    tell("held", "Too many pages are open.", `This one stays as it was at ${clockOf(seen)}, and is followed as soon as another is closed.`);
  } else {
    lost();
  }
}

function replace(id, html) {
  const old = document.getElementById(id);
  if (!old) return anew(); // the page has another shape now
  const fresh = old.cloneNode(false);
  fresh.innerHTML = policy.createHTML(html);
  children(old, fresh);
  old.dispatchEvent(new CustomEvent("fairlead:part", { bubbles: true }));
}

// Keeps each node that can stay: with it stay focus, selection, scroll positions and what
// the reader opened.
function children(old, fresh) {
  const keyed = new Map();
  for (const node of old.children) if (node.id) keyed.set(node.id, node);
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let known = next.id && keyed.get(next.id);
    if (known && !same(known, next)) {
      if (known === at) at = at.nextSibling;
      known.remove();
      known = null;
    }
    if (known && known !== at) old.insertBefore(known, at);
    const here = known || at;
    if (here && same(here, next) && (known || !here.id)) {
      at = here.nextSibling;
      patch(here, next);
    } else {
      old.insertBefore(next, at);
    }
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

function patch(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.dataset?.span && old.dateTime === fresh.dateTime && old.dataset.span === fresh.dataset.span) return; // showSpans writes it
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
  }
  children(old, fresh);
}

// Attributes that are the reader's.
const kept = (element, name) => name === "open" && (element.nodeName === "DETAILS" || element.nodeName === "DIALOG");

// As roughly as one reads it in passing.
function about(s) {
  if (s < 90) return `${Math.max(0, Math.floor(s))} s`;
  if (s < 90 * 60) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} days`;
}

// As the server writes what has ended.
function exactly(s) {
  s = Math.max(0, Math.floor(s));
  if (s < 120) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

const spans = {
  ago: (s) => `${about(s)} ago`,
  for: (s) => exactly(s),
  till: (s) => (s < 0 ? `in ${about(-s)}` : `${about(s)} ago`),
};

function showSpans() {
  const server = Date.now() + offset;
  for (const element of document.querySelectorAll("time[data-span]")) {
    if (element.closest("[aria-live=polite]")) continue; // it would be read aloud each second
    const stale = element.dataset.span === "for" && (lostAt || failed); // nobody knows whether it goes on
    const words = spans[element.dataset.span](((stale ? seen : server) - Date.parse(element.dateTime)) / 1000);
    if (element.textContent !== words) element.textContent = words;
  }
}

async function copy(button) {
  const label = button.querySelector("span");
  const was = label.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Select it and press Ctrl-C";
  }
  setTimeout(() => { label.textContent = was; }, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy], [data-reload]");
  if (button?.dataset.copy !== undefined) copy(button);
  else if (button) location.reload();
});

showSpans();
setInterval(() => {
  if (source && performance.now() - heard > 12000) lost(); // a peer that is gone without a word
  showLost();
  showSpans();
}, 1000);

if (live) {
  // A browser opens few connections to one host: a page that nobody sees gives its own back.
  const look = () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") {
      if (!source) open();
    } else {
      timer = setTimeout(() => { close(); }, 5000);
    }
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  look();
}
