// Errors by their type, and what was logged about them.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { failures, group, lastEvents } from "../../core/invocations"
import { useLoad } from "../../core/load"
import { counted, counts, instant, one, quote, span } from "../../core/metrics"
import { reload, useRange } from "../../core/range"
import { href, to, useChoice } from "../../core/route"
import { Code } from "../../kit/code"
import { ago, count, moment, plural } from "../../kit/format"
import { Drawer } from "../../kit/overlay"
import { Badge, Empty, Failed, Panel, Show } from "../../kit/panel"
import { Spark } from "../../kit/spark"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"
import { RecordList } from "./records"

export function Errors({ name }: { name: string }) {
  const range = useRange()
  const id = `${range.start} ${range.end}`
  const series = `dropstack_function_errors_total{function=${quote(name)}}`
  const types = useLoad(
    id,
    async (signal) => {
      const [sums, trend] = await Promise.all([
        instant(`sum by (type) (${counted(series, span(range))}) > 0`, range, signal),
        counts("type", series, range, signal),
      ])
      return sums.map((s) => ({ type: s.labels.type ?? "", n: one([s]) ?? 0, points: trend.find((t) => t.labels.type === s.labels.type)?.points ?? [] }))
    },
    { subject: name },
  )
  const groups = useLoad("groups", async (signal) => (await control<{ errors: Group[] }>("ListErrors", { function: name }, signal)).errors, { still: true, subject: name })
  const [open, setOpen] = useChoice("error")
  const opened = groups.data?.find((g) => g.id === open)
  const records = useLoad(id, (signal) => lastEvents(group(name), failures, range, 100, signal), { subject: name })
  return (
    <>
      <Panel title="Errors by type" flush>
        <Show of={types}>
          {(rows) => (
            <Table
              label="Errors by type"
              rows={rows}
              id={(r) => r.type}
              order="-n"
              empty={<Empty icon="check" title="No errors in this time" />}
              columns={[
                { name: "type", title: "Type", grow: true, sort: (r) => r.type, cell: (r) => <code class="wrap">{r.type}</code> },
                { name: "trend", title: "Trend", cell: (r) => <Spark points={r.points} range={range} tone="bad" /> },
                { name: "n", title: "Errors", right: true, sort: (r) => r.n, cell: (r) => count(r.n) },
              ]}
            />
          )}
        </Show>
      </Panel>
      <Panel title="Errors that are alike" note="of all times" flush>
        <Show of={groups}>
          {(list) => (
            <Table
              label="Errors that are alike"
              rows={list}
              id={(g) => g.id}
              choice="groups"
              open={(g) => setOpen(g.id)}
              empty={<Empty icon="check" title="No error is open" />}
              columns={[
                {
                  name: "message",
                  title: "Error",
                  grow: true,
                  cell: (g) => (
                    <>
                      {g.type && <code>{g.type}</code>} {g.message} {g.regressed && <Badge tone="bad">came back</Badge>}
                    </>
                  ),
                },
                { name: "trend", title: "Last week", quiet: true, cell: (g) => <Spark points={(g.hours ?? []).map((h) => [h.start, h.count])} tone="bad" /> },
                { name: "first", title: "First", sort: (g) => g.firstSeen, cell: (g) => <span title={moment(g.firstSeen * 1000)}>{ago(g.firstSeen * 1000)}</span> },
                { name: "last", title: "Last", sort: (g) => g.lastSeen, cell: (g) => <span title={moment(g.lastSeen * 1000)}>{ago(g.lastSeen * 1000)}</span> },
                { name: "count", title: "Times", right: true, sort: (g) => g.count, cell: (g) => count(g.count) },
              ]}
            />
          )}
        </Show>
      </Panel>
      {opened && <Opened name={name} of={opened} close={() => setOpen("")} />}
      <Panel title="What it logged about them" note="the newest 100">
        <Show of={records}>{(list) => (list.length > 0 ? <RecordList records={list} /> : <Empty icon="logs" title="No error is logged in this time" />)}</Show>
      </Panel>
    </>
  )
}

interface Group {
  id: string
  type?: string
  message: string
  state: string
  firstSeen: number // seconds
  lastSeen: number
  firstVersion?: string
  lastVersion?: string
  count: number
  regressed?: boolean
  sample: { time: number; requestId?: string; message: string; stack?: string[] }
  hours?: { start: number; count: number }[]
}

function Opened({ name, of: g, close }: { name: string; of: Group; close: () => void }) {
  const [error, setError] = useState<Error>()
  const mark = async (state: string) => {
    try {
      await control("UpdateError", { id: g.id, state })
      toast(state === "ignored" ? "It is not counted as open any more" : "Resolved, until it comes back")
      close()
      reload()
    } catch (e) {
      setError(e as Error)
    }
  }
  return (
    <Drawer title={g.type ?? "Error"} close={close}>
      <dl class="facts">
        <dt>Seen</dt>
        <dd>
          {plural(g.count, "time")}, first {ago(g.firstSeen * 1000)}
          {g.firstVersion && ` in version ${g.firstVersion}`}, last {ago(g.lastSeen * 1000)}
        </dd>
        {g.sample.requestId && (
          <>
            <dt>The last one</dt>
            <dd>
              <a href={href(to("functions", name), { tab: "invocations", request: g.sample.requestId })}>{g.sample.requestId}</a>
            </dd>
          </>
        )}
      </dl>
      <Code text={[g.sample.message, ...(g.sample.stack ?? [])].join("\n")} label="The last one" />
      {error && <Failed error={error} />}
      <div class="row">
        <button type="button" class="primary" onClick={() => void mark("resolved")}>
          Resolved
        </button>
        <button type="button" onClick={() => void mark("ignored")}>
          Ignore it
        </button>
      </div>
    </Drawer>
  )
}
