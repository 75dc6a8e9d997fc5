// Who is told, whether they were reached, and a message to try it.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { Code } from "../../kit/code"
import { ago, moment } from "../../kit/format"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty, Panel } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

export interface Told {
  source: string
  configuration: string
  receivers: { name: string; integrations: string[] | null }[]
  failures: { receiver: string; integration: string; time: string; reason: string }[]
}

interface Tested {
  results: { integration: string; delivered: boolean; reason?: string }[]
}

export function Receivers({ told }: { told: Told }) {
  const [testing, setTesting] = useState("")
  const [whole, setWhole] = useState(false)
  const failed = (name: string) => told.failures.filter((f) => f.receiver === name)
  return (
    <>
      {told.failures.length > 0 && (
        <Panel title="Not reached" flush>
          <Table
            label="Notifications that failed"
            rows={told.failures}
            id={(f) => f.receiver + f.integration}
            choice="failures"
            columns={[
              { name: "receiver", title: "Receiver", cell: (f) => `${f.receiver}, by ${f.integration}` },
              { name: "reason", title: "Why", grow: true, cell: (f) => <span class="bad">{f.reason}</span> },
              { name: "time", title: "When", right: true, cell: (f) => <span title={moment(f.time)}>{ago(f.time)}</span> },
            ]}
          />
        </Panel>
      )}
      <Panel title="Receivers" note={`as ${told.source} says`} flush>
        <Table
          label="Receivers"
          rows={told.receivers}
          id={(r) => r.name}
          choice="receivers"
          empty={
            <Empty icon="topic" title="Nobody is told">
              <code>dropstack alert receivers put alertmanager.yml</code> says who is.
            </Empty>
          }
          columns={[
            { name: "name", title: "Receiver", cell: (r) => r.name },
            { name: "by", title: "Reached by", grow: true, cell: (r) => (r.integrations?.length ? r.integrations.map((i) => <Badge key={i}>{i}</Badge>) : <span class="muted">these pages only</span>) },
            { name: "state", title: "State", cell: (r) => (failed(r.name).length ? <Badge tone="bad" dot>not reached</Badge> : <Badge tone="good" dot>no failure</Badge>) },
            {
              name: "test",
              title: "",
              right: true,
              cell: (r) =>
                r.integrations?.length ? (
                  <button type="button" class="small" onClick={() => setTesting(r.name)}>
                    Send a test<span class="sr"> to {r.name}</span>
                  </button>
                ) : null,
            },
          ]}
        />
      </Panel>
      <Panel
        title="Configuration"
        note="in Alertmanager's format; secrets are not shown"
        actions={
          <button type="button" class="small" aria-pressed={whole} onClick={() => setWhole(!whole)}>
            {whole ? "Hide" : "Show"}
          </button>
        }
      >
        {whole ? <Code text={told.configuration} label="Configuration" /> : <p class="muted">Routes lead alerts to receivers by their labels. <code>dropstack alert receivers put FILE</code> changes it.</p>}
      </Panel>
      {testing && (
        <Confirm
          title={`Send a test to ${testing}?`}
          verb="Send"
          close={() => setTesting("")}
          act={async () => {
            const { results } = await control<Tested>("TestReceiver", { receiver: testing })
            const wrong = results.filter((r) => !r.delivered)
            if (wrong.length > 0) throw new Error(wrong.map((r) => `${r.integration}: ${r.reason}`).join("; "))
            toast(`${testing} got it`)
          }}
        >
          <p>Whoever is behind it gets a message that says that it is a test.</p>
        </Confirm>
      )}
    </>
  )
}
