// The last invocations, each with what it logged.
import { type Invocation, lastInvocations, linesOf } from "../../core/invocations"
import { useLoad } from "../../core/load"
import { useRange } from "../../core/range"
import { useChoice } from "../../core/route"
import { Copy } from "../../kit/copy"
import { ago, bytes, duration, moment } from "../../kit/format"
import { Drawer } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { RecordList } from "./records"

export function Invocations({ name }: { name: string }) {
  const range = useRange()
  const list = useLoad(`${range.start} ${range.end}`, (signal) => lastInvocations(name, range, signal), { subject: name })
  const [open, setOpen] = useChoice("request")
  const opened = list.data?.find((i) => i.request === open)
  return (
    <Panel title="Last invocations" note="the newest 100 in this time" flush>
      <Show of={list} lines={8}>
        {(rows) => (
          <Table
            label="Last invocations"
            rows={rows}
            id={(i) => i.request}
            open={(i) => setOpen(i.request)}
            empty={
              <Empty icon="function" title="Not invoked in this time">
                Look at a longer time, or try it under Test.
              </Empty>
            }
            columns={[
              { name: "at", title: "When", sort: (i) => i.at, cell: (i) => <span title={moment(i.at)}>{ago(i.at)}</span> },
              { name: "state", title: "Result", sort: (i) => i.error ?? "", cell: (i) => (i.error ? <Badge tone="bad" dot>{i.error}</Badge> : <Badge tone="good" dot>ok</Badge>) },
              { name: "duration", title: "Duration", right: true, sort: (i) => i.duration, cell: (i) => duration(i.duration) },
              { name: "init", title: "Cold start", right: true, sort: (i) => i.init ?? 0, cell: (i) => (i.init === undefined ? <span class="muted">–</span> : duration(i.init)) },
              { name: "memory", title: "Memory", right: true, sort: (i) => i.memory, cell: (i) => bytes(i.memory) },
              { name: "request", title: "Request", quiet: true, cell: (i) => <code>{i.request.slice(0, 8)}</code> },
            ]}
          />
        )}
      </Show>
      {opened && <Opened name={name} i={opened} close={() => setOpen("")} />}
    </Panel>
  )
}

function Opened({ name, i, close }: { name: string; i: Invocation; close: () => void }) {
  const records = useLoad("records", (signal) => linesOf(name, i, signal), { still: true, subject: i.request })
  return (
    <Drawer title={`Invocation of ${moment(i.at)}`} close={close}>
      <dl class="facts">
        <dt>Result</dt>
        <dd>{i.error ? <Badge tone="bad" dot>{i.error}</Badge> : <Badge tone="good" dot>ok</Badge>}</dd>
        <dt>Duration</dt>
        <dd>
          {duration(i.duration)}
          {i.init !== undefined && ` after a cold start of ${duration(i.init)}`}
        </dd>
        <dt>Memory</dt>
        <dd>
          {bytes(i.memory)} of {bytes(i.limit)}
        </dd>
        <dt>Request</dt>
        <dd class="row">
          <code class="wrap">{i.request}</code>
          <Copy text={i.request} />
        </dd>
        <dt>Instance</dt>
        <dd class="wrap">{i.stream}</dd>
      </dl>
      <h3>What it logged</h3>
      <Show of={records}>{(list) => <RecordList records={list} />}</Show>
    </Drawer>
  )
}
