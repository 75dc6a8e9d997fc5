// A page of the console in chromium, and what is said of it: a line of JSON each on
// standard output, {"kind":"wrong"} for what is wrong.
import { createRequire } from "node:module"
import path from "node:path"

export const told = JSON.parse(process.argv[2])
export const require = createRequire(path.join(told.modules, "node_modules", "x.js"))
export const say = (kind, what) => console.log(JSON.stringify({ kind, ...what }))

const { chromium } = require("playwright-core")
export const base = told.link.replace(/#.*/, "")
export const browser = await chromium.launch({ executablePath: told.chromium, args: ["--no-sandbox", "--disable-gpu"] })
export const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
export const page = await context.newPage()

// What is being looked at, and whether requests may fail there: a wrong sign-in, a
// function that is not there.
export const now = { at: "", asking: false }
export const wrong = (text) => say("wrong", { screen: now.at, text })

page.on("pageerror", (e) => wrong("exception: " + e.message))
page.on("console", (m) => {
  if (m.type() === "error" && !(now.asking && /status of (401|403|404)/.test(m.text()))) wrong("printed: " + m.text() + " " + (m.location().url ?? ""))
})
page.on("request", (r) => {
  if (!r.url().startsWith(base) && !r.url().startsWith("data:")) wrong("asks another host: " + r.url())
})

// settled waits until everything that a screen asks for has come.
export const settled = () => page.waitForFunction(() => !document.querySelector(".boot,.skeleton,.busy.on,[aria-busy=true]"), undefined, { timeout: 20_000 }).catch(() => wrong("is not there after 20 s"))

// visit opens a screen.
export async function visit(target) {
  now.at = target
  await page.goto(base + "#" + target)
  await page.waitForFunction((want) => location.hash === "#" + want && document.querySelector("main > *"), target)
}

// signIn signs in by an access key on the page that asks for one.
export async function signIn({ id, secret }) {
  await page.fill("[name=id]", id)
  await page.fill("[name=secret]", secret)
  await page.click("button[type=submit]")
}
