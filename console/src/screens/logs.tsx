// Logs: what everything has said, searched with the language of docs/logs.md.
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import { useLoad } from "../core/load"
import { asked, type Range, rangeOf, reload } from "../core/range"
import { choose, href, route, useChoice } from "../core/route"
import { ask, bin, fieldsOf, groupNames, having, head, moment, plain } from "../core/search"
import { useStore } from "../core/store"
import { Chart, type Line } from "../kit/chart"
import { Icon } from "../kit/icons"
import { Drawer } from "../kit/overlay"
import { Empty, Failed, Panel, Show, Skeleton } from "../kit/panel"
import type { Screen } from "../shell/screen"
import { Fields } from "./logs/fields"
import { Told, useFound } from "./logs/found"
import { Live } from "./logs/live"
import { Records } from "./logs/records"
import { Rows } from "./logs/rows"

const examples: [string, string][] = [
  ["Errors of any kind", 'level:error OR "Invoke Error" OR "Task timed out"'],
  ["The slowest invocations", "@type:REPORT | sort @duration desc | limit 20 | fields @timestamp, @logGroup, @duration, @maxMemoryUsed"],
  ["Invocations by function", "@type:REPORT | stats count(*) as n, pct(@duration, 95) as p95 by @logGroup | sort n desc"],
  ["Records over time", "* | stats count(*) as records by bin(1m)"],
  ["Requests that failed at the edge", "sc-status:[500 TO 599] | stats count(*) as n by cs-uri-stem | sort n desc | limit 20"],
  ["Who asks most at the edge", "c-ip:* | top 10 c-ip, sc-status"],
]

// useStill is the range that stays until the reader asks anew: what they read does not
// move under their eyes.
function useStill(): Range {
  const { query } = useStore(route)
  const again = useStore(asked)
  return useMemo(() => rangeOf(query), [query.get("from"), query.get("to"), again])
}

function Logs() {
  const range = useStill()
  const [query] = useChoice("q")
  const [group] = useChoice("group")
  const [live, setLive] = useChoice("live")
  const groups = useMemo(() => (group ? group.split(",") : ["*"]), [group])
  const searching = plain(query)
  return (
    <div class="screen">
      <Panel>
        <Asking query={query} group={group} live={!!live} follow={() => setLive(live ? "" : "1")} />
      </Panel>
      {live ? <Live groups={groups} query={query} /> : searching ? <Searched groups={groups} query={query} range={range} /> : <Rows groups={groups} query={query} range={range} />}
    </div>
  )
}

// Asking is the query and where it is asked.
function Asking({ query, group, live, follow }: { query: string; group: string; live: boolean; follow: () => void }) {
  const [text, setText] = useState(query)
  const area = useRef<HTMLTextAreaElement>(null)
  useEffect(() => setText(query), [query])
  const names = useLoad("groups", groupNames, { still: true })
  const run = (q = text) => {
    if (q === query) reload()
    choose({ q: q.trim() || undefined })
  }
  const kinds: [string, string][] = [
    ["", "All groups"],
    ["/aws/lambda/*", "All functions"],
    ["/aws/cloudfront/*", "The edge"],
  ]
  const known = names.data ?? []
  return (
    <form
      class="stack"
      onSubmit={(e) => {
        e.preventDefault()
        run()
      }}
    >
      <label class="field">
        <span class="sr">Query</span>
        <textarea
          ref={area}
          data-search
          class="mono query"
          rows={Math.min(6, Math.max(1, text.split("\n").length))}
          spellcheck={false}
          placeholder='error -retry   level:warn   @duration:>1000 | stats count(*) by bin(5m)'
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key !== "Enter" || e.shiftKey) return
            e.preventDefault()
            run()
          }}
        />
      </label>
      <div class="row">
        <select class="fit" aria-label="Log groups" value={group} onChange={(e) => choose({ group: e.currentTarget.value || undefined })}>
          {kinds.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
          {group && !known.includes(group) && !kinds.some(([value]) => value === group) && <option value={group}>{group}</option>}
          {known.map((n) => (
            <option key={n} value={n}>
              {n}
            </option>
          ))}
        </select>
        <select
          class="fit"
          aria-label="Example queries"
          value=""
          onChange={(e) => {
            const q = e.currentTarget.value
            e.currentTarget.value = ""
            setText(q)
            run(q)
          }}
        >
          <option value="">Examples…</option>
          {examples.map(([title, q]) => (
            <option key={title} value={q}>
              {title}
            </option>
          ))}
        </select>
        <div class="grow" />
        <a class="button" href={href("/traces")}>
          Traces
        </a>
        <button type="button" aria-pressed={live} onClick={follow}>
          <Icon name={live ? "pause" : "play"} size={12} /> {live ? "Stop" : "Follow"}
        </button>
        <button type="submit" class="primary">
          Search
        </button>
      </div>
      {names.error && <Failed error={names.error} retry={names.reload} />}
    </form>
  )
}

function Searched({ groups, query, range }: { groups: string[]; query: string; range: Range }) {
  const [fieldsOpen, setFieldsOpen] = useState(false)
  const found = useFound(groups, query || "*", range, 500)
  const fields = useLoad(`${groups} ${range.start} ${range.end}`, (signal) => fieldsOf(groups, range, signal), { still: true })
  const filter = (field: string, value: string, not = false) => choose({ q: having(query, field, value, not) })
  const side = <Show of={fields}>{(list) => <Fields list={list} filter={filter} />}</Show>
  return (
    <>
      <Histogram groups={groups} query={query} range={range} />
      <div class="beside">
        <Panel title="Fields" class="side-fields">
          {side}
        </Panel>
        <Panel
          title="Records"
          note={<Told found={found.data} partial={found.partial} />}
          actions={
            <button type="button" class="small narrow" onClick={() => setFieldsOpen(true)}>
              Fields
            </button>
          }
        >
          {found.error && <Failed error={found.error} retry={found.reload} />}
          {found.data ? (
            found.data.rows.length > 0 ? (
              <Records rows={found.data.rows} filter={filter} />
            ) : (
              <Empty icon="logs" title={query ? "Nothing in this time is like that" : "Nothing was logged in this time"}>
                {query ? (
                  <>
                    Look at a longer time or in all groups. Words are found anywhere in a message; <code>level:error</code> compares a field, <code>-word</code> leaves out, <code>OR</code> is either.
                  </>
                ) : (
                  "What functions print is here, requests to the edge, and what programs send with PutLogEvents."
                )}
              </Empty>
            )
          ) : (
            !found.error && <Skeleton lines={8} />
          )}
        </Panel>
      </div>
      {fieldsOpen && (
        <Drawer title="Fields" close={() => setFieldsOpen(false)}>
          {side}
        </Drawer>
      )}
    </>
  )
}

function Histogram({ groups, query, range }: { groups: string[]; query: string; range: Range }) {
  const [step, every] = bin(range)
  const lines = useLoad(
    `${groups} ${query} ${range.start} ${range.end}`,
    async (signal): Promise<Line[]> => {
      const found = await ask(groups, `${head(query) || "*"} | stats count(*) as n by bin(${every}) as t`, range, 10_000, signal)
      if (found.rows.length === 0) return []
      const known = new Map(found.rows.map((r) => [moment(r.t) / 1000, Number(r.n)]))
      const points: [number, number][] = []
      for (let t = Math.floor(range.start / step) * step; t < range.end; t += step) points.push([t, known.get(t) ?? 0])
      return [{ label: "records", points }]
    },
    { still: true },
  )
  return <Chart title="Records over time" range={range} lines={lines} bars height={110} total empty="No records in this time" />
}

export const logs: Screen = { path: "/logs", title: "Logs", icon: "logs", group: "Observe", key: "l", timed: true, view: Logs }
