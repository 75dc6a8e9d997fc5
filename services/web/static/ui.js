// What every page shares: copying, toasts, the word that the network is gone.

const toasts = document.getElementById("toasts");

/** Shows a line at the bottom; action is {label, run}; ms 0 keeps it. Returns a function that takes it away. */
export function toast(text, { action, ms = 2600 } = {}) {
  const el = document.createElement("div");
  el.className = "toast";
  el.append(Object.assign(document.createElement("span"), { textContent: text }));
  const close = () => el.remove();
  if (action) {
    const b = Object.assign(document.createElement("button"), { type: "button", textContent: action.label });
    b.addEventListener("click", () => { close(); action.run(); });
    el.append(b);
  }
  toasts.append(el);
  if (ms) setTimeout(close, ms);
  return close;
}

/** Copies text; false when the browser does not let us. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
    document.body.append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}

/** Copies and says so. */
export async function copyFrom(button, text) {
  if (!(await copy(text))) {
    toast("Copying was refused: " + text, { ms: 8000 });
    return;
  }
  button?.classList.add("done");
  setTimeout(() => button?.classList.remove("done"), 1400);
  toast("Link copied");
}

/** Whether a key press is meant for a field or a browser shortcut. */
export function taken(e) {
  return e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, select, textarea, audio, video, [contenteditable], dialog[open]");
}

document.addEventListener("click", (e) => {
  const b = e.target.closest("[data-copy]");
  if (b) copyFrom(b, b.dataset.copy);
});

let offline;
addEventListener("offline", () => { offline ??= toast("You are offline. Nothing is sent until the network is back.", { ms: 0 }); });
addEventListener("online", () => { if (offline) { offline(); offline = undefined; toast("Back online"); } });
