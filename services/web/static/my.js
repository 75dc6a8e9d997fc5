// The owner's list: keys, deletion with time to think again.
import { copyFrom, taken, toast } from "./ui.js";

const grid = document.getElementById("grid");
const total = document.getElementById("total");
const undoTime = 5000; // milliseconds before a deletion is sent
const pending = []; // deletions that can still be undone, oldest first

const cards = () => [...grid.querySelectorAll(".card:not(.going)")];
const current = () => document.activeElement?.closest?.(".card") ?? grid.querySelector(".card:hover");

function refresh(by) {
  total.dataset.total = Math.max(0, +total.dataset.total + by);
  total.textContent = total.dataset.total;
  document.getElementById("empty").hidden = cards().length > 0;
}

function remove(card) {
  const all = cards(), i = all.indexOf(card);
  card.classList.add("going");
  refresh(-1);
  (all[i + 1] ?? all[i - 1])?.querySelector("a").focus();
  const job = { card };
  job.undo = () => {
    clearTimeout(job.timer);
    job.close();
    pending.splice(pending.indexOf(job), 1);
    restore(card);
  };
  job.close = toast(`Deleted “${short(card.dataset.title)}”`, { ms: undoTime, action: { label: "Undo", run: job.undo } });
  job.timer = setTimeout(() => { pending.splice(pending.indexOf(job), 1); send(card); }, undoTime);
  pending.push(job);
}

function restore(card) {
  card.classList.remove("going");
  refresh(1);
  card.querySelector("a").focus();
}

async function send(card) {
  const retry = (why) => { restore(card); toast(why, { ms: 7000, action: { label: "Try again", run: () => remove(card) } }); };
  try {
    const r = await fetch("/drops/" + card.dataset.code, { method: "DELETE", keepalive: true, headers: { Accept: "application/json" } });
    if (r.ok || r.status === 404 || r.status === 410) card.remove();
    else retry(r.status === 401 || r.status === 403 ? "Only the owner can delete this drop." : "The drop could not be deleted.");
  } catch {
    retry(navigator.onLine ? "The drop could not be deleted." : "You are offline, so nothing was deleted.");
  }
}

const short = (s) => (s.length > 32 ? s.slice(0, 31) + "…" : s);

// Leaving the page is not an undo: what was deleted is deleted.
addEventListener("pagehide", () => { for (const job of pending.splice(0)) { clearTimeout(job.timer); send(job.card); } });

grid.addEventListener("click", (e) => { if (e.target.closest("[data-delete]")) remove(e.target.closest(".card")); });

function step(by) {
  const all = cards(), at = all.indexOf(current());
  all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.querySelector("a").focus();
}

const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
const keys = {
  "/": () => document.getElementById("q").select(),
  "?": () => document.getElementById("keys").showModal(),
  j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
  ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
  c: () => { const b = current()?.querySelector("[data-copy]"); if (b) copyFrom(b, b.dataset.copy); },
  Delete: () => { if (current()) remove(current()); },
  Backspace: () => { if (current()) remove(current()); },
  z: () => pending.at(-1)?.undo(),
  u: () => { location.href = "/"; },
};
document.addEventListener("keydown", (e) => {
  if ((e.metaKey || e.ctrlKey) && (e.key === "k" || (e.key === "z" && pending.length))) {
    if (e.target.closest("input") && e.key === "z") return;
    e.preventDefault();
    keys[e.key === "k" ? "/" : "z"]();
    return;
  }
  if (taken(e) || !keys[e.key] || (e.key.startsWith("Arrow") && !e.target.closest(".card"))) return;
  e.preventDefault();
  keys[e.key]();
});
