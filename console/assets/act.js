// Opens the page on which an action is confirmed as a dialog. Without it the same page
// opens as a page.

let dialog = null; // made when the first action is asked for

function made() {
  dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "act-title");
  dialog.setAttribute("aria-describedby", "act-would");
  const title = document.createElement("h2");
  title.id = "act-title";
  dialog.append(title, document.createElement("div"));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-cancel]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener("submit", () => {
    for (const button of dialog.querySelectorAll("button")) button.disabled = true; // sent once
  });
  document.body.append(dialog);
}

// page reads a page of the console as a document.
function page(path) {
  return new Promise((resolve, reject) => {
    const ask = new XMLHttpRequest();
    ask.responseType = "document";
    ask.open("GET", path);
    ask.onload = () => resolve(ask.response);
    ask.onerror = reject;
    ask.send();
  });
}

async function ask(link) {
  const body = (await page(link.href))?.getElementById("act-body");
  if (!body) return location.assign(link.href); // logged out, or not there: the page says so
  if (!dialog) made();
  const form = body.querySelector("form");
  dialog.querySelector("h2").textContent = form?.dataset.title ?? link.textContent;
  dialog.querySelector("div").replaceChildren(...document.importNode(body, true).childNodes);
  dialog.onclose = () => document.getElementById(link.id)?.focus();
  dialog.showModal();
  dialog.querySelector("textarea, a")?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-act]");
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  ask(link).catch(() => location.assign(link.href));
});
