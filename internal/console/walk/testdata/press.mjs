// Presses the buttons of the console that change something and prints what comes of it,
// a line of JSON each: {"kind":"pressed"} for what worked, {"kind":"wrong"} for what did
// not. What a button did is read off the page after it has asked the platform again.
import { browser, now, page, say, settled, signIn, told, visit, wrong } from "./browser.mjs"

const { link, hook, keeper } = told
page.setDefaultTimeout(20_000)

const dialog = page.locator("dialog.dialog[open]")
const field = (label) => dialog.getByLabel(label)
const button = (name) => page.getByRole("button", { name })
const row = (table, text) => page.getByRole("table", { name: table, exact: true }).locator("tbody tr", { hasText: text })
const there = (locator) => locator.first().waitFor()
const gone = (locator) => locator.first().waitFor({ state: "detached" })

// done waits until the page says what has been done, and that it went well.
async function done(text) {
  const good = page.locator(".toast:not(.bad)", { hasText: text })
  const bad = page.locator(".toast.bad, dialog[open] .failed")
  await good.or(bad).first().waitFor()
  if (await bad.count()) throw new Error(await bad.first().textContent())
  await gone(dialog)
}

// confirm answers the question that a button has led to, and waits for the word.
async function confirm(text) {
  await dialog.locator("button[type=submit]").click()
  await done(text)
}

// step does one thing on a screen. What goes wrong ends the step, not the others.
async function step(name, target, act) {
  try {
    await visit(target)
    await settled()
    await act()
    say("pressed", { screen: target, text: name })
  } catch (e) {
    wrong(`${name}: ${e.message}`)
    await page.goto("about:blank")
  }
}

// until loads the screen anew until there is what the platform has yet to find out.
async function until(locator) {
  for (let i = 0; i < 100; i++) {
    await settled()
    if (await locator.count()) return
    await page.reload()
    await page.waitForSelector(".shell")
  }
  throw new Error("there is never " + locator)
}

await page.goto(link)
await page.waitForSelector(".shell")

// deployments: callers led to another version, and revisions that come back
const order = "/functions/shop-dev-order?tab=versions"
await step("lead some callers to another version", order, async () => {
  await button("Shift callers of live").click()
  await field("Version").selectOption("1")
  await field("Share of callers").fill("30")
  await confirm("30 % of its callers to version 1")
  await there(row("Aliases", "30 %"))
})
await step("lead all callers to another version", order, async () => {
  await button("Shift callers of live").click()
  await field("Version").selectOption("1")
  await field("Share of callers").fill("100")
  await confirm("all of its callers to version 1")
  await there(row("Aliases", "version 1"))
  await gone(row("Aliases", "%"))
})
await step("roll a stack back", order, async () => {
  await button("Roll back shop-dev").click()
  await confirm("shop-dev is back at the revision before")
})
await step("roll back to a revision", "/deploys", async () => {
  const revisions = page.locator("tbody tr", { hasText: "shop-dev" })
  const before = await revisions.count()
  await revisions.filter({ hasText: "earlier" }).first().locator("button.plain").click()
  await button("Roll back to this revision").click()
  await confirm("shop-dev is back at the revision of")
  await page.waitForFunction((n) => [...document.querySelectorAll("tbody tr")].filter((r) => r.textContent.includes("shop-dev")).length > n, before)
})

// functions: an event that is kept, errors that are resolved, events that are tried again
await step("keep an event in the browser", "/functions/shop-dev-order?tab=test", async () => {
  await page.locator("textarea").fill('{"sku": "quince"}')
  await page.getByLabel("Name to save the event under").fill("quince")
  await button("Save").click()
  await done("Saved quince")
  await page.reload()
  await page.getByLabel("Begin with").selectOption("quince")
  await page.locator("form button[type=submit]").click()
  await there(page.locator(".code pre", { hasText: "quince" }))
})
await step("resolve an error", "/functions/shop-dev-crash?tab=errors", async () => {
  const errors = page.getByRole("table", { name: "Errors that are alike" }).locator("button.plain")
  await until(errors)
  await errors.first().click()
  await button("Resolved").click()
  await done("Resolved, until it comes back")
  await there(page.getByText("No error is open"))
})
await step("try dead letters again", "/events?tab=letters&function=shop-dev-fail", async () => {
  await until(button("Try all again"))
  await button("Try all again").click()
  await confirm("1 event queued again")
})

// messages
await step("deliver a topic's dead letters again", "/events?open=arn:aws:sns:us-east-1:000000000000:news", async () => {
  await until(button("Deliver them again"))
  await button("Deliver them again").click()
  await confirm("1 message will be delivered again")
})
await step("move a queue's dead letters back", "/events?tab=queues&open=jobs-dead", async () => {
  await button("Move its messages back").click()
  await confirm("The messages of jobs-dead go back")
})
const schedule = "/events?tab=schedules&open=arn:aws:events:us-east-1:000000000000:rule/shop-dev-order-rule-2"
await step("run a schedule now", schedule, async () => {
  await button("Run it now").click()
  await confirm("shop-dev-order:live got a tick")
})
await step("turn a schedule off and on", schedule, async () => {
  await button("Turn it off").click()
  await confirm("is off")
  await button("Turn it on").click()
  await confirm("is on")
  await there(button("Turn it off"))
})

// the edge
await step("ban a client and let it in again", "/edge?tab=bans", async () => {
  await button("Ban a client").click()
  await field("Address or prefix").fill("203.0.113.9")
  await field("Why, for whoever").fill("floods the till")
  await confirm("203.0.113.9 is banned until")
  await there(row("Bans", "floods the till"))
  await button("Unban 203.0.113.9").click()
  await confirm("203.0.113.9 is no longer banned")
  await gone(row("Bans", "203.0.113.9"))
})
await step("allow a client, and no longer", "/edge?tab=bans", async () => {
  await button("Allow a client").click()
  await field("Address or prefix").fill("198.51.100.0/24")
  await field("Why").fill("our office")
  await confirm("198.51.100.0/24 is never turned away")
  await there(row("Clients that are never turned away", "our office"))
  await button("Remove 198.51.100.0/24").click()
  await done("198.51.100.0/24 may be banned again")
  await gone(row("Clients that are never turned away", "our office"))
})
await step("invalidate what the edge has stored", "/edge?tab=distributions", async () => {
  await button("Invalidate paths of shop-dev-site").click()
  await confirm("1 path of shop-dev-site will be asked of the origin again")
})

// alerts
await step("silence alerts and end it", "/alerts?tab=silences", async () => {
  await button("New silence").click()
  await field("Alerts that have all").fill('alertname="TillClosed"\nfunction=~"shop-.*"')
  await field("Why, for whoever").fill("the till is being mended")
  await confirm("Silenced")
  await there(row("Silences", "the till is being mended"))
  await row("Silences", "the till is being mended").getByRole("button").click()
  await confirm("The silence has ended")
})
await step("send a receiver a test", "/alerts?tab=receivers", async () => {
  await button("Send a test to hook").click()
  await confirm("hook got it")
})

// uptime
await step("add a monitor", "/uptime", async () => {
  await button("Add a monitor").click()
  await field("Name").fill("page")
  await field("URL").fill(hook + "/page")
  await field("A text that has to be").fill("quince")
  await dialog.getByRole("button", { name: "Check it once" }).click()
  await there(dialog.locator(".badge", { hasText: "up" }))
  await confirm("page is watched")
  await there(page.locator("main", { hasText: "page" }))
})
await step("pause a monitor and go on", "/uptime/page", async () => {
  await button("Pause").click()
  await done("page is not checked")
  await button("Resume").click()
  await done("page is checked again")
  await there(button("Pause"))
})
await step("remove a monitor", "/uptime/page", async () => {
  await button("Remove").click()
  await confirm("page is removed")
  await page.waitForFunction(() => location.hash === "#/uptime")
})
await step("acknowledge an incident", "/uptime?tab=incidents", async () => {
  await until(button("Acknowledge the incident of shop-dev-till"))
  await button("Acknowledge the incident of shop-dev-till").click()
  await field("What you are doing").fill("looking for the key")
  await confirm("Acknowledged")
  await there(page.getByText("looking for the key"))
})
await step("plan maintenance and end it", "/uptime?tab=maintenance", async () => {
  await button("Plan maintenance").click()
  await field("Monitor").selectOption("shop-dev-till")
  await field("Lasts").fill("30m")
  await field("Why").fill("a new till")
  await confirm("Maintenance is planned")
  await there(row("Maintenance windows", "a new till"))
  await button("End the maintenance a new till").click()
  await confirm("The maintenance has ended")
  await gone(row("Maintenance windows", "a new till"))
})

// secrets
await step("make a parameter", "/secrets", async () => {
  await button("New parameter").click()
  await field("Name").fill("/shop/key")
  await field("Value").fill("hush")
  await confirm("/shop/key has version 1")
  await there(row("Parameters", "/shop/key"))
})
await step("set a parameter anew", "/secrets?open=/shop/key", async () => {
  await button("Set a new value").click()
  await field("Value").fill("hush hush")
  await confirm("/shop/key has version 2")
})
await step("delete a parameter", "/secrets?open=/shop/till", async () => {
  await button("Delete").click()
  await confirm("/shop/till is deleted")
  await gone(row("Parameters", "/shop/till"))
})
await step("disable a key and enable it", "/secrets?tab=keys&open=" + told.key, async () => {
  await button("Disable it").click()
  await confirm("The key is disabled")
  await button("Enable it").click()
  await confirm("The key is enabled")
  await there(button("Disable it"))
})
await step("have a key rotate", "/secrets?tab=keys&open=" + told.key, async () => {
  await button("Rotate it every year").click()
  await done("The key rotates by itself")
  await there(button("Stop its rotation"))
})

// storage
await step("upload a file", "/storage/shop-photos?prefix=2026/", async () => {
  await button("Upload").click()
  await field("Files").setInputFiles({ name: "quince.txt", mimeType: "text/plain", buffer: Buffer.from("a quince") })
  await confirm("1 file uploaded to shop-photos")
  await there(row("Objects", "quince.txt"))
})
await step("make a link to an object", "/storage/shop-photos?prefix=2026/&object=2026/quince.txt", async () => {
  await button("Make a link to it").click()
  const href = await page.locator("a.button", { hasText: "Open or save" }).getAttribute("href")
  const answer = await fetch(href)
  const text = await answer.text()
  if (answer.status !== 200 || text !== "a quince") throw new Error(`the link answers ${answer.status} ${text}`)
})
await step("delete an object", "/storage/shop-photos?prefix=2026/&object=2026/quince.txt", async () => {
  await button("Delete").click()
  await confirm("2026/quince.txt is deleted")
  await gone(row("Objects", "quince.txt"))
})

// the audit log, and the keys of who is signed in
await step("check the audit log", "/audit?tab=chain", async () => {
  await button("Check it").click()
  await there(page.locator(".badge.good", { hasText: "nothing was changed" }))
})
now.at = "signing in as somebody else"
await page.click(".side .who button[aria-label='Sign out']")
await page.waitForSelector(".signin")
await signIn(keeper)
await page.waitForSelector(".shell")
await step("make an access key, turn it off and delete it", "/audit?tab=keys", async () => {
  await button("Make another one").click()
  const id = await page.locator("[role=status] strong").textContent()
  await button("I have it").click()
  await button("Turn off " + id).click()
  await done(id + " is off")
  await button("Turn on " + id).click()
  await done(id + " is on")
  await button("Delete " + id).click()
  await confirm(id + " is deleted")
  await gone(row("Access keys", id))
})
await browser.close()
