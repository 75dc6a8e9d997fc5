// The upload page: drop, paste, pick; a queue with progress, speed and cancel.
import { copy, copyFrom, toast } from "./ui.js";

const form = document.getElementById("upload");
const list = document.getElementById("queue");
const visitor = document.getElementById("visitor");
const token = document.getElementById("token");
const atOnce = 2;
const waiting = [];
let running = 0;

token.value = sessionStorage.getItem("token") ?? "";
token.addEventListener("input", () => sessionStorage.setItem("token", token.value.trim()));

// ---- options

const option = (name) => (name === "privacy" ? (form.privacy.checked ? "obscure" : "") : form[name].value);
const names = ["expire", "max_views", "password", "privacy"];
const label = (select) => select.selectedOptions[0].textContent.toLowerCase();

function summarise() {
  const words = [form.expire.value ? "expires " + label(form.expire) : "never expires"];
  const n = form.max_views.value;
  words.push(n ? n + (n === "1" ? " view" : " views") : "unlimited views");
  if (form.password.value) words.push("password");
  if (form.privacy.checked) words.push("longer link");
  const text = words.join(" · ");
  document.getElementById("chosen").textContent = text[0].toUpperCase() + text.slice(1);
}
form.addEventListener("input", summarise);
summarise();

// ---- what comes in

function take(files) {
  for (const f of files) add({ name: f.name || "file", size: f.size, file: f });
}

for (const id of ["files", "camera"]) {
  const input = document.getElementById(id);
  input.addEventListener("change", () => { take(input.files); input.value = ""; });
}
form.addEventListener("submit", (e) => e.preventDefault());

let depth = 0;
const carries = (e) => [...(e.dataTransfer?.types ?? [])].some((t) => t === "Files" || t === "text/uri-list");
addEventListener("dragenter", (e) => { if (carries(e)) { e.preventDefault(); depth++; document.body.classList.add("dragging"); } });
addEventListener("dragover", (e) => { if (carries(e)) e.preventDefault(); });
addEventListener("dragleave", () => { if (depth && !--depth) document.body.classList.remove("dragging"); });
addEventListener("drop", (e) => {
  depth = 0;
  document.body.classList.remove("dragging");
  if (!carries(e)) return;
  e.preventDefault();
  if (e.dataTransfer.files.length) take(e.dataTransfer.files);
  else words(e.dataTransfer.getData("text/uri-list").split("\n").find((l) => l && l[0] !== "#") ?? "");
});
addEventListener("paste", (e) => {
  if (e.target.closest?.("input")) return;
  const files = e.clipboardData.files;
  if (files.length) take(files);
  else words(e.clipboardData.getData("text/plain"));
});

function words(text) {
  if (!text.trim()) return;
  const link = /^https?:\/\/\S+$/i.test(text.trim()) && URL.canParse(text.trim()) ? new URL(text.trim()) : null;
  if (link) add({ name: link.host + link.pathname, url: link.href, size: 0 });
  else add({ name: text.trim().split("\n", 1)[0].slice(0, 60), text, size: new Blob([text]).size });
}

// ---- the queue

function add(item) {
  item.options = Object.fromEntries(names.map((n) => [n, option(n)]).filter(([, v]) => v));
  const el = document.getElementById("row").content.firstElementChild.cloneNode(true);
  item.el = el;
  el.querySelector(".row-name").textContent = item.name;
  el.querySelector("progress").setAttribute("aria-label", "Upload of " + item.name);
  face(item, el.querySelector(".row-thumb"));
  document.getElementById("queue-section").hidden = false;
  list.prepend(el);
  queue(item);
}

function face(item, box) {
  if (item.file?.type.startsWith("image/")) {
    const img = Object.assign(new Image(), { alt: "", src: URL.createObjectURL(item.file) });
    img.addEventListener("error", () => { box.textContent = "IMG"; });
    img.addEventListener("load", () => URL.revokeObjectURL(img.src));
    box.append(img);
    return;
  }
  const ext = /\.([^.]{1,4})$/.exec(item.file?.name ?? "")?.[1];
  box.textContent = item.url ? "URL" : item.text ? "TXT" : (ext ?? "FILE").toUpperCase();
}

function queue(item) {
  item.el.classList.remove("failed", "over");
  item.el.querySelector("progress").value = 0;
  note(item, "Waiting");
  buttons(item, ["Cancel", () => cancel(item)]);
  waiting.push(item);
  next();
}

function next() {
  while (running < atOnce && waiting.length) start(waiting.shift());
  document.body.classList.toggle("busy", running > 0);
}

function cancel(item) {
  const i = waiting.indexOf(item);
  if (i >= 0) waiting.splice(i, 1);
  item.xhr?.abort();
  item.el.remove();
  next();
}

function note(item, ...parts) {
  const el = item.el.querySelector(".row-note");
  el.setAttribute("aria-live", item.moving ? "off" : "polite"); // nobody wants every percent read out
  el.replaceChildren(...parts);
}

function buttons(item, ...pairs) {
  item.el.querySelector(".row-actions").replaceChildren(...pairs.map(([text, run, cls]) => {
    const b = Object.assign(document.createElement("button"), { type: "button", className: "button " + (cls ?? ""), textContent: text });
    b.setAttribute("aria-label", text + " " + item.name);
    b.addEventListener("click", () => run(b));
    return b;
  }));
}

/** Where and what to send. Options travel as form fields, so text with options is sent as a file. */
function parcel(item) {
  const plain = !Object.keys(item.options).length;
  if (item.text !== undefined && plain) return { path: "/notes", body: item.text, type: "text/plain; charset=utf-8" };
  const body = new FormData();
  for (const [k, v] of Object.entries(item.options)) body.append(k, v);
  if (item.url) body.append("url", item.url);
  else if (item.text !== undefined) body.append("file", new File([item.text], "note.txt", { type: "text/plain" }));
  else body.append("file", item.file, item.name);
  return { path: "/", body };
}

function start(item) {
  running++;
  const p = parcel(item), xhr = (item.xhr = new XMLHttpRequest());
  xhr.open("POST", p.path);
  xhr.setRequestHeader("Accept", "application/json");
  if (p.type) xhr.setRequestHeader("Content-Type", p.type);
  if (!("owner" in form.dataset) && token.value.trim()) xhr.setRequestHeader("Authorization", "Bearer " + token.value.trim());
  const pace = meter();
  xhr.upload.addEventListener("progress", (e) => progress(item, pace, e));
  xhr.upload.addEventListener("load", () => { item.moving = false; if (item.size > 0) note(item, "Sent. Waiting for the link…"); });
  xhr.addEventListener("load", () => answered(item, xhr));
  xhr.addEventListener("error", () => failed(item, navigator.onLine ? "The connection broke off." : "You are offline."));
  xhr.addEventListener("loadend", () => { running--; next(); });
  note(item, "Starting…");
  item.moving = true;
  xhr.send(p.body);
}

/** Measures speed over the last few seconds, in bytes a second. */
function meter() {
  const seen = [];
  return (loaded) => {
    const now = performance.now();
    seen.push([now, loaded]);
    while (seen.length > 2 && now - seen[0][0] > 3000) seen.shift();
    const ms = now - seen[0][0];
    return ms > 300 ? ((loaded - seen[0][1]) / ms) * 1000 : 0;
  };
}

function progress(item, pace, e) {
  if (!e.lengthComputable) return;
  item.el.querySelector("progress").value = e.loaded / e.total;
  const speed = pace(e.loaded);
  let text = `${Math.floor((e.loaded / e.total) * 100)}\u00a0% of ${size(e.total)}`;
  if (speed > 0) text += ` · ${size(speed)}/s · ${left((e.total - e.loaded) / speed)}`;
  note(item, text);
}

function size(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  return `${i && n < 9.95 ? n.toFixed(1) : Math.round(n)}\u00a0${units[i]}`;
}

function left(s) {
  if (s < 60) return `${Math.max(1, Math.round(s))}\u00a0s left`;
  if (s < 5400) return `${Math.round(s / 60)} min left`;
  return `${(s / 3600).toFixed(1)} h left`;
}

function answered(item, xhr) {
  let reply = {};
  try { reply = JSON.parse(xhr.responseText) ?? {}; } catch { /* not every refusal is JSON */ }
  if (xhr.status >= 200 && xhr.status < 300 && reply.shortlink) return done(item, reply);
  if (xhr.status === 401 || xhr.status === 403) {
    visitor.hidden = false;
    failed(item, "Uploads need a token here.");
    token.focus();
    return;
  }
  if (xhr.status === 413) return failed(item, reply.message ?? "The file is larger than this installation takes.");
  if (xhr.status === 429) return failed(item, "Too many uploads at once. Try again in a moment.");
  if (xhr.status === 507) return failed(item, reply.message ?? "The server is out of space.");
  failed(item, reply.message ?? `The server refused (${xhr.status || "no answer"}).`);
}

async function done(item, reply) {
  item.moving = false;
  item.el.classList.add("over");
  const a = Object.assign(document.createElement("a"), { href: reply.shortlink, textContent: reply.shortlink.replace(/^https?:\/\//, "") });
  note(item, a);
  buttons(item, ["Copy link", (b) => copyFrom(b, reply.shortlink), "primary"]);
  if (await copy(reply.shortlink)) toast("Link copied");
}

function failed(item, why) {
  item.moving = false;
  item.el.classList.add("failed", "over");
  note(item, why);
  buttons(item, ["Try again", () => queue(item)], ["Dismiss", () => item.el.remove()]);
}

addEventListener("beforeunload", (e) => { if (running) e.preventDefault(); });
