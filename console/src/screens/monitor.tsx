// A monitor: how long it takes from where, and what has happened to it.
import { useState } from "preact/hooks"
import { control } from "../core/call"
import { useLoad } from "../core/load"
import { quote, ranged } from "../core/metrics"
import { useRange } from "../core/range"
import { go, useChoice } from "../core/route"
import { Chart, lines } from "../kit/chart"
import { ago, moment, plural, ratio } from "../kit/format"
import { Icon } from "../kit/icons"
import { Confirm } from "../kit/overlay"
import { Badge, Panel, Show } from "../kit/panel"
import { Stat } from "../kit/stat"
import { Table } from "../kit/table"
import { toast } from "../kit/toast"
import type { Screen } from "../shell/screen"
import { Days } from "./uptime/days"
import { Evidence, Incidents } from "./uptime/incidents"
import { type Incident, type Monitor as Shape, tones } from "./uptime/shapes"

const phases = ["dns", "connect", "tls", "first_byte", "transfer"]

function Monitor({ name }: { name: string }) {
  const range = useRange()
  const [location, setLocation] = useChoice("location")
  const [removing, setRemoving] = useState(false)
  const one = useLoad(name, (signal) => control<Shape>("DescribeMonitor", { name }, signal), { still: true, subject: name })
  const incidents = useLoad(name, (signal) => control<{ incidents: Incident[] }>("ListIncidents", { monitor: name, limit: 50 }, signal).then((a) => a.incidents), { still: true, subject: name })
  const series = (phase: string) => `avg_over_time(dropstack_monitor_duration_seconds{monitor=${quote(name)},phase=~${quote(phase)}${location && `,location=${quote(location)}`}}[${Math.max(range.step, 60)}s])`
  const total = useLoad(`${name} ${range.start} ${range.end}`, async (signal) => lines(await ranged(`max by (location) (${series("total")})`, range, signal), (l) => l.location ?? ""), { subject: name })
  const parts = useLoad(
    `${name} ${location} ${range.start} ${range.end}`,
    async (signal) => {
      const list = lines(await ranged(`avg by (phase) (${series(phases.join("|"))})`, range, signal), (l) => (l.phase ?? "").replace("_", " "))
      return list.sort((a, b) => phases.indexOf(a.label.replace(" ", "_")) - phases.indexOf(b.label.replace(" ", "_")))
    },
    { subject: name },
  )
  const marks = (incidents.data ?? []).map((i) => ({ at: Date.parse(i.opened) / 1000, label: i.cause ?? i.state }))
  const again = () => {
    one.reload()
    incidents.reload()
  }
  return (
    <div class="screen">
      <Show of={one} lines={6}>
        {(m) => {
          const paused = m.state === "paused"
          return (
            <>
              <div class="row headline">
                <Badge tone={tones[m.state]} dot>
                  {m.state}
                </Badge>
                {m.since && (
                  <span class="muted" title={moment(m.since)}>
                    since {ago(m.since).replace(" ago", "")}
                  </span>
                )}
                <code class="wrap">
                  {m.method ?? "GET"} {m.url}
                </code>
                {m.stack && <Badge>{m.stack}</Badge>}
                {m.owner && <span class="muted">{m.owner}</span>}
                <div class="grow" />
                {m.runbook && /^https?:/.test(m.runbook) && (
                  <a class="button small" href={m.runbook} rel="noreferrer">
                    Runbook
                  </a>
                )}
                <button
                  type="button"
                  class="small"
                  onClick={() =>
                    control("PauseMonitor", { name, paused: !paused }).then(
                      () => {
                        toast(paused ? `${name} is checked again` : `${name} is not checked`)
                        again()
                      },
                      (e: Error) => toast(e.message, true),
                    )
                  }
                >
                  <Icon name={paused ? "play" : "pause"} size={12} /> {paused ? "Resume" : "Pause"}
                </button>
                {!m.stack && (
                  <button type="button" class="small" onClick={() => setRemoving(true)}>
                    Remove
                  </button>
                )}
              </div>
              <div class="stats">
                {[
                  ["1", "24 hours"],
                  ["7", "7 days"],
                  ["30", "30 days"],
                  ["90", "90 days"],
                ].map(([n, title]) => (
                  <Stat key={n} title={`Up in ${title}`} value={m.uptime?.[n!] === undefined ? "–" : ratio(m.uptime[n!]!)} tone={(m.uptime?.[n!] ?? 1) < 0.99 ? "warn" : "plain"} note={n === "1" ? "today, by UTC" : " "} />
                ))}
              </div>
              <Panel title="90 days" note="a bar a day; empty is not known">
                <Days days={m.days ?? []} height={36} />
              </Panel>
              <div class="grid two">
                <Chart title="Whole check, by location" range={range} lines={total} unit="seconds" marks={marks} empty="No check got the answer that it should in this time" />
                <Chart
                  title="Phases"
                  range={range}
                  lines={parts}
                  unit="seconds"
                  empty="No check got the answer that it should in this time"
                  actions={
                    m.places.length > 1 && (
                      <select class="fit" aria-label="Location" value={location} onChange={(e) => setLocation(e.currentTarget.value)}>
                        <option value="">all locations</option>
                        {m.places.map((p) => (
                          <option key={p.location}>{p.location}</option>
                        ))}
                      </select>
                    )
                  }
                />
              </div>
              <Panel title="Incidents">
                <Show of={incidents}>{(list) => <Incidents list={list} reload={again} />}</Show>
              </Panel>
              <Panel title="As it was seen last" flush>
                <Table
                  label="Locations"
                  rows={m.places}
                  id={(p) => p.location}
                  choice="places"
                  columns={[
                    { name: "location", title: "Location", cell: (p) => p.location },
                    { name: "state", title: "Saw", cell: (p) => (p.last ? <Badge tone={tones[p.last.state]} dot>{p.last.state}</Badge> : <span class="muted">not checked yet</span>) },
                    { name: "reason", title: "Why", grow: true, cell: (p) => p.last?.reason ?? (p.last?.status ? `answered ${p.last.status}` : "–") },
                    { name: "took", title: "Took", right: true, cell: (p) => (p.last ? took(p.last.phases.total) : "–") },
                    { name: "failing", title: "Failing", right: true, cell: (p) => (p.failing ? `${plural(p.failing, "check")} in a row` : "–") },
                    { name: "at", title: "When", right: true, cell: (p) => (p.last ? <span title={moment(p.last.at)}>{ago(p.last.at)}</span> : "–") },
                  ]}
                />
                {m.state === "down" && m.places.some((p) => p.last?.evidence) && (
                  <div class="pad stack">
                    {m.places.filter((p) => p.last?.evidence).map((p) => <Evidence key={p.location} result={p.last!} />)}
                  </div>
                )}
              </Panel>
              {removing && (
                <Confirm
                  title={`Remove ${name}?`}
                  verb="Remove"
                  danger
                  close={() => setRemoving(false)}
                  act={async () => {
                    await control("DeleteMonitor", { name })
                    toast(`${name} is removed`)
                    go("/uptime")
                  }}
                >
                  <p>It is checked no more, and its days and incidents are forgotten.</p>
                </Confirm>
              )}
            </>
          )
        }}
      </Show>
    </div>
  )
}

// took shortens a duration as the platform writes it: 4.384691ms.
const took = (text = "") => text.replace(/(\d+\.\d)\d*/, "$1")

export const monitor: Screen = { path: "/uptime/:name", title: "Monitor", icon: "uptime", timed: true, view: Monitor }
