// Walks the console and prints what it finds, a line of JSON each:
// {"kind":"screen"} for each screen looked at, {"kind":"paint"} for the measurements of
// the first one, and {"kind":"wrong"} for what is wrong.
import fs from "node:fs"
import path from "node:path"
import { base, browser, context, now, page, require, say, settled, signIn, told, visit, wrong } from "./browser.mjs"

const { link, screenshots, reader } = told
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8")
const widths = [
  [1280, 900],
  [390, 844],
]

// Parts of screens that no link of the navigation leads to.
const parts = [
  "/functions?q=fail&only=failing",
  ...["", "?tab=invocations", "?tab=logs", "?tab=errors", "?tab=triggers", "?tab=config", "?tab=versions", "?tab=test"].map((tab) => "/functions/shop-dev-order" + tab),
  "/functions/shop-dev-fail?tab=errors",
  ...["distributions&open=shop-dev-site", "firewall", "bans", "certificates"].map((tab) => "/edge?tab=" + tab),
  "/events?open=arn:aws:sns:us-east-1:000000000000:orders",
  ...["queues&open=jobs-dead", "schedules&open=arn:aws:events:us-east-1:000000000000:rule/shop-dev-order-rule-5", "buses", "letters&function=shop-dev-fail"].map((tab) => "/events?tab=" + tab),
  "/storage/shop-photos?prefix=2026/",
  "/storage/shop-photos?object=readme.txt",
  ...["keys", "parameters&open=/shop/password"].map((tab) => "/secrets?tab=" + tab),
  ...["chain", "keys"].map((tab) => "/audit?tab=" + tab),
  "/audit?only=denied&resource=/shop/password",
  "/logs?q=Invoke",
  "/logs?group=%2Faws%2Flambda%2Fshop-dev-fail&q=%40type%3AREPORT%20%7C%20stats%20count(*)%20as%20n%20by%20bin(1m)%2C%20%40logGroup",
  "/logs?live=1",
  "/traces?only=errors",
  "/explore?a=sum%20by%20(function)%20(dropstack_function_invocations_total)&b=sum%20by%20(function)%20(dropstack_function_errors_total)&f=b%20%2F%20a%20*%20100&than=50&for=0s",
  ...["silences", "rules", "alarms", "receivers"].map((tab) => "/alerts?tab=" + tab),
  "/alerts?silence=%7Balertname%3D%22TillClosed%22%2Cfunction%3D%22shop-dev-fail%22%7D",
  ...["incidents", "maintenance", "locations"].map((tab) => "/uptime?tab=" + tab),
  "/uptime/shop-dev-till",
  "/functions/not-there",
  "/nowhere",
]

async function look(name, width) {
  await settled()
  // What still fades in has colours that nobody is meant to read.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().iterations !== Infinity).map((a) => a.finished.catch(() => {}))))
  const over = await page.evaluate(() => Math.max(document.documentElement.scrollWidth - innerWidth, ...[...document.querySelectorAll("main,dialog[open]")].map((e) => e.scrollWidth - e.clientWidth)))
  if (over > 0) wrong(`is ${over} px wider than the window of ${width}`)
  await page.evaluate(axe + ";0")
  const violations = await page.evaluate(async () => (await window.axe.run({ resultTypes: ["violations"] })).violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).slice(0, 3).join(" | ")}`))
  for (const v of violations) wrong(`at ${width} px, axe-core: ${v}`)
  if (screenshots) await page.screenshot({ path: path.join(screenshots, `${name.replace(/\W+/g, "-").replace(/^-|-$/g, "") || "overview"}-${width}.png`) })
  say("screen", { screen: name, width })
}

async function wide(width, height) {
  await page.setViewportSize({ width, height })
}

// signing in: a wrong key first, then the link, which works once
now.at = "sign-in"
now.asking = true
await page.goto(base)
for (const [w, h] of widths) {
  await wide(w, h)
  await look("signin", w)
}
await signIn({ id: "AKIAEXAMPLE", secret: "wrong" })
await page.waitForSelector(".signin-error .icon")
await page.goto(link)
await page.waitForSelector(".shell")
if (page.url().includes("token")) wrong("the link's token stays in the address")
now.asking = false

// the first paint of the longest list, in a page that has nothing yet
now.at = "/functions"
await wide(1280, 900)
const fresh = await context.newPage()
await fresh.goto(base + "#/functions")
await fresh.waitForSelector("tbody tr")
say("paint", await fresh.evaluate(() => ({
  firstPaint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1,
  listed: performance.now(),
  rows: document.querySelectorAll("tbody tr").length,
  requests: performance.getEntriesByType("resource").length + 1,
  bytes: [...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")].reduce((sum, e) => sum + e.transferSize, 0),
})))
await fresh.close()

const screens = await page.$$eval(".side .nav a", (list) => list.map((a) => a.getAttribute("href").slice(1).replace(/\?.*/, "")))
if (screens.length < 3) wrong("the navigation has only " + screens.join(" "))
for (const scheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme: scheme })
  for (const target of scheme === "light" ? [...screens, ...parts] : screens) {
    now.asking = /not-there/.test(target)
    await visit(target)
    for (const [w, h] of widths) {
      if (scheme === "dark" && w < 500) continue
      await wide(w, h)
      await look(target + (scheme === "dark" ? "-dark" : ""), w)
    }
  }
}
await page.emulateMedia({ colorScheme: "light" })

// what lies over pages, by the keyboard
now.at = "keys"
for (const [w, h] of widths) {
  await wide(w, h)
  await page.goto(base + "#/deploys")
  await settled()
  await page.keyboard.press("Control+k")
  await page.waitForSelector("dialog.palette[open] li")
  await page.keyboard.type("order")
  await page.waitForFunction(() => document.querySelectorAll("dialog.palette li").length === 1)
  await look("palette", w)
  await page.keyboard.press("Enter")
  await page.waitForFunction(() => location.hash.startsWith("#/functions/shop-dev-order"))
  await page.waitForSelector("dialog", { state: "detached" }) // a key that is pressed in it is a letter
  await settled()
  await page.keyboard.press("?")
  await page.waitForSelector("dialog.dialog[open]")
  await look("help", w)
  await page.keyboard.press("Escape")
  await page.waitForSelector("dialog", { state: "detached" })
  await page.keyboard.press("g")
  await page.keyboard.press("f")
  await page.waitForFunction(() => location.hash.startsWith("#/functions") && !location.hash.includes("shop"))
  await page.waitForSelector("main tbody tr")
  await page.keyboard.press("/")
  await page.keyboard.type("order")
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1 && location.hash.includes("q=order"))
  if (w < 500) {
    await page.click(".bottom button")
    await page.waitForSelector("dialog.sheet[open]")
    await look("menu", w)
    await page.keyboard.press("Escape")
  }
  now.at = "a revision"
  await page.goto(base + "#/deploys")
  await page.locator("tbody button.plain").first().click()
  await page.waitForSelector("dialog.drawer[open] .changes, dialog.drawer[open] p")
  await look("revision", w)
  now.at = "an invocation"
  await page.goto(base + "#/functions/shop-dev-order?tab=invocations")
  await page.locator("tbody button.plain").first().click()
  await page.waitForSelector("dialog.drawer[open] .records li")
  await look("invocation", w)
  await page.keyboard.press("Escape")
}

// an alert and its reasons, a record and its fields, a trace
for (const [w, h] of widths) {
  await wide(w, h)
  now.at = "an alert"
  for (;;) {
    await page.goto(base + "#/alerts")
    await settled()
    if (await page.locator("main", { hasText: "the till is closed" }).count()) break
    await page.reload()
    await page.waitForSelector(".shell")
  }
  await look("alert", w)
  await page.getByRole("button", { name: "Why does TillClosed fire" }).first().click()
  await page.waitForSelector("dialog.drawer[open] .expr")
  await look("why", w)
  await page.keyboard.press("Escape")
  now.at = "a record"
  await page.goto(base + "#/logs?group=%2Faws%2Flambda%2Fshop-dev-fail&q=Invoke")
  await page.locator(".records summary").first().click()
  await page.waitForSelector(".whole .facts")
  await look("record", w)
  await page.getByRole("button", { name: "Records of this request" }).click()
  await page.waitForFunction(() => location.hash.includes("requestId"))
  await settled()
  now.at = "a trace"
  await page.goto(base + "#/traces?only=errors")
  await page.locator("tbody a").first().click()
  await page.waitForSelector(".waterfall li")
  await look("trace", w)
}

// records as they come, told of by an invocation in another page
now.at = "following"
await wide(1280, 900)
await page.goto(base + "#/functions/shop-dev-order?tab=logs&live=1")
await settled()
const other = await context.newPage()
const following = page.waitForSelector(".records li")
await other.goto(base + "#/functions/shop-dev-order?tab=test")
do await other.click("form button.primary")
while (!(await Promise.race([following.then(() => true), other.waitForSelector(".badge.good").then(() => false)])))
await other.close()
await look("following", 1280)

// a test invocation, and what comes back
now.at = "test"
await wide(1280, 900)
await page.goto(base + "#/functions/shop-dev-order?tab=test")
await page.fill("textarea", '{"sku": "apple"}')
await page.click("form button.primary")
await page.waitForSelector(".badge.good")
const answered = await page.textContent(".code pre")
if (!answered.includes("apple")) wrong("the function answered " + answered)
await look("tested", 1280)

now.at = "signing out"
await page.click(".side .who button[aria-label='Sign out']")
await page.waitForSelector(".signin")

// whose key may do nothing is told what is missing
now.at = "a key that may do nothing"
now.asking = true
await signIn(reader)
await page.waitForSelector(".shell")
await page.goto(base + "#/functions")
await page.waitForSelector(".failed")
const missing = await page.textContent(".failed")
if (!missing.includes("lambda:ListFunctions")) wrong("is told " + missing)
for (const [w, h] of widths) {
  await wide(w, h)
  await look("denied", w)
}
await browser.close()
