// The edge: what is asked of it, from where it answers, and whom it turns away.
import { useLoad } from "../core/load"
import { counted, counts, instant, one, quote, ranged, span } from "../core/metrics"
import { useRange } from "../core/range"
import { useChoice } from "../core/route"
import { Chart, type Line, lines } from "../kit/chart"
import { bytes, count, duration, plural, ratio } from "../kit/format"
import { Stat } from "../kit/stat"
import { Tabs } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { Bans } from "./edge/bans"
import { Certificates } from "./edge/certificates"
import { Distributions, useDistributions } from "./edge/distributions"
import { Firewall } from "./edge/firewall"
import { Top } from "./edge/top"

const requests = "dropstack_edge_requests_total"
const hit = 'result=~"Hit|RefreshHit|OriginShieldHit"'

function Edge() {
  const [tab] = useChoice("tab", "traffic")
  return (
    <div class="screen">
      <Tabs
        tabs={[
          ["traffic", "Traffic"],
          ["distributions", "Distributions"],
          ["firewall", "Firewall"],
          ["bans", "Bans"],
          ["certificates", "Certificates"],
        ]}
      />
      {tab === "traffic" && <Traffic />}
      {tab === "distributions" && <Distributions />}
      {tab === "firewall" && <Firewall />}
      {tab === "bans" && <Bans />}
      {tab === "certificates" && <Certificates />}
    </div>
  )
}

// What the platform failed at is seen at once.
const tone = (status: string) => (status.startsWith("5") ? "--bad" : undefined)

function Traffic() {
  const range = useRange()
  const [distribution, choose] = useChoice("distribution")
  const list = useDistributions()
  const id = `${range.start} ${range.end} ${distribution}`
  const s = span(range)
  const match = distribution ? `distribution=${quote(distribution)}` : ""
  const of = (name: string, more = "") => `${name}{${[match, more].filter(Boolean).join(",")}}`
  const sums = useLoad(
    id,
    async (signal) => {
      const [all, hits, failed, out, p95] = await Promise.all([
        instant(`sum(${counted(of(requests), s)})`, range, signal),
        instant(`sum(${counted(of(requests, hit), s)})`, range, signal),
        instant(`sum(${counted(of(requests, 'status=~"5.."'), s)})`, range, signal),
        instant(`sum(${counted(of("dropstack_edge_bytes_total", 'direction="out"'), s)})`, range, signal),
        instant(`histogram_quantile(0.95, sum(increase(${of("dropstack_edge_duration_seconds")}[${s}])))`, range, signal),
      ])
      return { all: one(all) ?? 0, hits: one(hits) ?? 0, failed: one(failed) ?? 0, out: one(out) ?? 0, p95: one(p95) }
    },
    { subject: distribution },
  )
  const statuses = useLoad(id, async (signal) => lines(await counts("status", of(requests), range, signal), (l) => l.status ?? "").map((l): Line => ({ ...l, tone: tone(l.label) })), { subject: distribution })
  const results = useLoad(id, async (signal) => lines(await counts("result", of(requests), range, signal), (l) => l.result ?? ""), { subject: distribution })
  const traffic = useLoad(id, async (signal) => lines(await counts("direction", of("dropstack_edge_bytes_total"), range, signal), (l) => (l.direction === "in" ? "from clients" : "to clients")), { subject: distribution })
  const slow = useLoad(
    id,
    async (signal) => {
      const q = (n: number) => `histogram_quantile(${n}, sum(rate(${of("dropstack_edge_duration_seconds")}[${Math.max(range.step, 60)}s])))`
      const [half, most] = await Promise.all([ranged(q(0.5), range, signal), ranged(q(0.95), range, signal)])
      return [...lines(half, () => "p50"), ...lines(most, () => "p95")]
    },
    { subject: distribution },
  )
  const v = sums.data
  const nothing = "Nothing was asked of the edge in this time"
  return (
    <>
      <label class="row">
        <span>Distribution</span>
        <select class="fit" value={distribution} onChange={(e) => choose(e.currentTarget.value)}>
          <option value="">All</option>
          {(list.data ?? []).map((d) => (
            <option key={d.id} value={d.id}>
              {d.id}
            </option>
          ))}
        </select>
      </label>
      <div class="stats">
        <Stat title="Requests" value={v ? count(v.all) : "…"} note={range.label.toLowerCase()} />
        <Stat title="Hit ratio" value={v ? (v.all > 0 ? ratio(v.hits / v.all) : "–") : "…"} note={v ? `${plural(v.hits, "answer")} from the cache` : " "} />
        <Stat title="Failed" value={v ? count(v.failed) : "…"} tone={v && v.failed > 0 ? "bad" : "plain"} note={v && v.all > 0 ? `${ratio(v.failed / v.all)} with a status of 5xx` : "none"} />
        <Stat title="Duration, p95" value={v?.p95 !== undefined && Number.isFinite(v.p95) ? duration(v.p95) : v ? "–" : "…"} note={v ? `${bytes(v.out)} to clients` : " "} />
      </div>
      <div class="grid two">
        <Chart title="Requests by status" range={range} lines={statuses} area total empty={nothing} />
        <Chart title="Requests by result" range={range} lines={results} area total empty={nothing} />
        <Chart title="Duration" range={range} lines={slow} unit="seconds" empty={nothing} />
        <Chart title="Bytes" range={range} lines={traffic} unit="bytes" total empty={nothing} />
      </div>
      <Top distribution={distribution} />
    </>
  )
}

export const edge: Screen = { path: "/edge", title: "Edge", icon: "edge", group: "Traffic", key: "e", timed: true, view: Edge }
