// Uptime: pages as the world sees them.
import { useState } from "preact/hooks"
import { control } from "../core/call"
import { useLoad } from "../core/load"
import { instant, ranged } from "../core/metrics"
import { useRange } from "../core/range"
import { href, to, useChoice } from "../core/route"
import { ago, duration, moment, ratio } from "../kit/format"
import { Badge, Empty, Panel, Show } from "../kit/panel"
import { Search } from "../kit/search"
import { Spark } from "../kit/spark"
import { Stat } from "../kit/stat"
import { Table } from "../kit/table"
import { Tabs } from "../kit/tabs"
import type { Screen } from "../shell/screen"
import { Add } from "./uptime/add"
import { Days } from "./uptime/days"
import { Incidents } from "./uptime/incidents"
import { Maintenance } from "./uptime/maintenance"
import { type Incident, type Location, type Monitor, rank, tones } from "./uptime/shapes"

const list = (signal?: AbortSignal) => control<{ monitors: Monitor[] }>("ListMonitors", { days: true }, signal).then((a) => a.monitors)

function Uptime() {
  const range = useRange()
  const [tab] = useChoice("tab", "monitors")
  const [text] = useChoice("q")
  const [adding, setAdding] = useState(false)
  const monitors = useLoad("monitors", list, { still: true })
  const states = useLoad("states", async (signal) => new Map((await instant("dropstack_monitor_state", undefined, signal)).map((s) => [s.labels.monitor ?? "", s.points.at(-1)?.[1] ?? 0])))
  const took = useLoad(`${range.start} ${range.end}`, async (signal) => {
    const series = await ranged(`quantile by (monitor) (0.5, avg_over_time(dropstack_monitor_duration_seconds{phase="total"}[${Math.max(range.step, 60)}s]))`, range, signal)
    return new Map(series.map((s) => [s.labels.monitor ?? "", s.points]))
  })
  const incidents = useLoad("incidents", (signal) => control<{ incidents: Incident[] }>("ListIncidents", { limit: 50 }, signal).then((a) => a.incidents), { still: true })
  const locations = useLoad("locations", (signal) => control<{ locations: Location[] }>("ListLocations", {}, signal).then((a) => a.locations), { still: true })
  const all = monitors.data ?? []
  const named = ["up", "slow", "down", "maintenance"]
  // the metrics know of a change before the list is asked for again
  const stateOf = (m: Monitor) => (m.state === "paused" || m.state === "unknown" ? m.state : (named[states.data?.get(m.name) ?? -1] ?? m.state))
  const n = (state: string) => all.filter((m) => stateOf(m) === state).length
  const shown = all.filter((m) => `${m.name} ${m.title} ${m.url}`.toLowerCase().includes(text.toLowerCase())).sort((a, b) => rank(stateOf(a)) - rank(stateOf(b)) || a.name.localeCompare(b.name))
  return (
    <div class="screen">
      <div class="stats">
        <Stat title="Up" value={monitors.data ? n("up") + n("slow") : "…"} note={n("slow") ? `${n("slow")} of them slow` : `of ${all.length}`} />
        <Stat title="Down" value={monitors.data ? n("down") : "…"} tone={n("down") ? "bad" : "plain"} note={n("down") ? "now" : "none"} />
        <Stat title="Open incidents" value={incidents.data?.filter((i) => !i.resolved).length ?? "…"} tone={incidents.data?.some((i) => !i.resolved && !i.acknowledged) ? "warn" : "plain"} note="not resolved" />
        <Stat title="Locations" value={locations.data ? `${locations.data.filter((l) => l.joined && !l.cut).length} / ${locations.data.length}` : "…"} note="heard from" />
      </div>
      <Tabs
        tabs={[
          ["monitors", "Monitors", monitors.data?.length],
          ["incidents", "Incidents", incidents.data?.length],
          ["maintenance", "Maintenance"],
          ["locations", "Locations", locations.data?.length],
        ]}
      />
      {tab === "monitors" && (
        <>
          <div class="row">
            <Search label="Filter monitors" />
            <div class="grow" />
            <button type="button" onClick={() => setAdding(true)}>
              Add a monitor
            </button>
          </div>
          <Show of={monitors} lines={8}>
            {() =>
              shown.length === 0 ? (
                <Panel>
                  <Empty icon="uptime" title={text ? "No monitor is like that" : "Nothing is watched yet"}>
                    {!text && (
                      <>
                        A monitor asks a URL every minute whether it answers as it should. <code>custom.dropstack.monitors</code> in serverless.yml declares them, or add one here.
                      </>
                    )}
                  </Empty>
                </Panel>
              ) : (
                <div class="monitors">
                  {shown.map((m) => {
                    const state = stateOf(m)
                    const points = took.data?.get(m.name) ?? []
                    return (
                      <a key={m.name} class="monitor" href={href(to("uptime", m.name))}>
                        <span class="row between">
                          <strong class="wrap">{m.title || m.name}</strong>
                          <Badge tone={tones[state]} dot>
                            {state}
                          </Badge>
                        </span>
                        <span class="muted small wrap">{m.title ? m.name : m.url}</span>
                        <Days days={m.days ?? []} />
                        <span class="row between">
                          <span class="small">
                            {m.uptime?.["90"] !== undefined ? `${ratio(m.uptime["90"])} up` : <span class="muted">not known yet</span>}
                            <span class="muted"> in 90 days</span>
                          </span>
                          <span class="row small">
                            <Spark points={points} range={range} width={72} />
                            {points.length > 0 ? duration(points.at(-1)![1]) : "–"}
                          </span>
                        </span>
                      </a>
                    )
                  })}
                </div>
              )
            }
          </Show>
        </>
      )}
      {tab === "incidents" && (
        <Panel title="Incidents">
          <Show of={incidents}>
            {(l) => (
              <Incidents
                list={l}
                named
                reload={() => {
                  incidents.reload()
                  monitors.reload()
                }}
              />
            )}
          </Show>
        </Panel>
      )}
      {tab === "maintenance" && <Maintenance monitors={all.map((m) => m.name)} />}
      {tab === "locations" && (
        <Panel title="Locations" note="where checks are made from" flush>
          <Show of={locations}>
            {(l) => (
              <>
                <Table
                  label="Locations"
                  rows={l}
                  id={(x) => x.name}
                  choice="locations"
                  columns={[
                    { name: "name", title: "Location", cell: (x) => (x.name === "here" ? "here, the platform itself" : x.title || x.name) },
                    { name: "state", title: "State", cell: (x) => (x.cut ? <Badge tone="warn">reaches nothing</Badge> : x.joined ? <Badge tone="good" dot>joined</Badge> : <Badge tone="bad">not heard from</Badge>) },
                    { name: "since", title: "Since", cell: (x) => (x.since ? <span title={moment(x.since)}>{ago(x.since)}</span> : "–") },
                    { name: "address", title: "Address", quiet: true, cell: (x) => x.address ?? "–" },
                  ]}
                />
                <p class="muted pad small">
                  <code>dropstack monitor location add NAME</code> prints a key; <code>dropstack probe</code> on another machine joins with it. With two or more, one that is cut off calls nobody.
                </p>
              </>
            )}
          </Show>
        </Panel>
      )}
      {adding && <Add close={() => setAdding(false)} done={monitors.reload} />}
    </div>
  )
}

export const uptime: Screen = { path: "/uptime", title: "Uptime", icon: "uptime", group: "Observe", key: "u", timed: true, view: Uptime }
