// A drop's page: zoom, start time, keys.
import { copy, copyFrom, taken, toast } from "./ui.js";

const zoom = document.getElementById("zoom");
zoom?.addEventListener("click", (e) => {
  if (e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  const stage = zoom.parentElement, img = zoom.firstElementChild;
  const box = img.getBoundingClientRect();
  const x = (e.clientX - box.left) / box.width, y = (e.clientY - box.top) / box.height;
  if (stage.classList.toggle("zoomed")) stage.scrollTo(img.offsetWidth * x - stage.clientWidth / 2, img.offsetHeight * y - stage.clientHeight / 2);
});

// ?t=90, ?t=1m30s or #t=90 starts a recording there.
const media = document.getElementById("media");
const at = new URLSearchParams(location.search).get("t") ?? new URLSearchParams(location.hash.slice(1)).get("t");
const m = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(at ?? "");
if (media && at && m) {
  const start = () => { media.currentTime = (+m[1] || 0) * 3600 + (+m[2] || 0) * 60 + (+m[3] || 0); };
  if (media.readyState) start(); else media.addEventListener("loadedmetadata", start, { once: true });
}
media?.addEventListener("error", () => toast("This recording can’t be played here. The download has it.", { ms: 6000 }));

const text = document.getElementById("text");
document.getElementById("copy-text")?.addEventListener("click", async () => {
  const source = text.querySelector(".lntd:last-child code") ?? text;
  toast((await copy(source.innerText)) ? "Text copied" : "Copying was refused");
});

document.addEventListener("keydown", (e) => {
  if (taken(e)) return;
  const b = document.getElementById("copy");
  if (e.key === "c" && !String(getSelection())) copyFrom(b, b.dataset.copy);
  else if (e.key === "d") document.getElementById("save")?.click();
  else if (e.key === "z") zoom?.click();
});
