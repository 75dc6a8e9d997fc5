// Buses and the rules that choose among the events on them.
import { aws } from "../../core/call"
import { useLoad } from "../../core/load"
import { useChoice } from "../../core/route"
import { last, words } from "../../core/words"
import { Code, pretty } from "../../kit/code"
import { plural } from "../../kit/format"
import { Drawer } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"

interface Rule {
  Name: string
  Arn: string
  EventPattern?: string
  ScheduleExpression?: string
  State: string
  Description?: string
  EventBusName: string
}

const call = <Out,>(operation: string, input: unknown, signal?: AbortSignal) => aws<Out>("events", "AWSEvents." + operation, input, signal)

async function load(signal: AbortSignal) {
  const { EventBuses } = await call<{ EventBuses: { Name: string }[] }>("ListEventBuses", {}, signal)
  const rules = await Promise.all(EventBuses.map(async (b) => (await call<{ Rules: Rule[] | null }>("ListRules", { EventBusName: b.Name }, signal)).Rules ?? []))
  return { buses: EventBuses.map((b) => b.Name), rules: rules.flat() }
}

// from is what a rule waits for, in a few words.
function from(r: Rule): string {
  if (!r.EventPattern) return words(r.ScheduleExpression ?? "") ?? r.ScheduleExpression ?? ""
  const pattern = JSON.parse(r.EventPattern) as Record<string, unknown>
  return Object.entries(pattern)
    .map(([k, v]) => `${k} ${Array.isArray(v) ? v.map((x) => (typeof x === "string" ? x : "…")).join(", ") : "…"}`)
    .join("; ")
}

export function Buses() {
  const [open, setOpen] = useChoice("open")
  const list = useLoad("buses", load, { still: true })
  return (
    <Show of={list}>
      {({ buses, rules }) => {
        const opened = rules.find((r) => r.Arn === open)
        return (
          <>
            <Panel title="Rules" note={plural(buses.length, "bus", "buses") + ": " + buses.join(", ")} flush>
              <Table
                label="Rules"
                rows={rules}
                id={(r) => r.Arn}
                open={(r) => setOpen(r.Arn)}
                order="name"
                choice="rules"
                empty={
                  <Empty icon="explore" title="No rules yet">
                    An <code>eventBridge</code> event of a function, or <code>aws events put-rule</code>, makes one. Events that are put on a bus go to the targets of every rule that they match.
                  </Empty>
                }
                columns={[
                  { name: "name", title: "Rule", sort: (r) => r.Name, cell: (r) => r.Name },
                  { name: "bus", title: "Bus", sort: (r) => r.EventBusName, cell: (r) => r.EventBusName },
                  { name: "from", title: "Waits for", grow: true, cell: (r) => <span class="wrap muted">{from(r)}</span> },
                  { name: "state", title: "State", cell: (r) => (r.State === "ENABLED" ? <Badge tone="good" dot>on</Badge> : <Badge tone="warn">off</Badge>) },
                ]}
              />
            </Panel>
            {opened && <Opened r={opened} close={() => setOpen("")} />}
          </>
        )
      }}
    </Show>
  )
}

function Opened({ r, close }: { r: Rule; close: () => void }) {
  const targets = useLoad(r.Arn, async (signal) => (await call<{ Targets: { Id: string; Arn: string }[] | null }>("ListTargetsByRule", { Rule: r.Name, EventBusName: r.EventBusName }, signal)).Targets ?? [], { still: true, subject: r.Arn })
  return (
    <Drawer title={r.Name} close={close}>
      {r.Description && <p>{r.Description}</p>}
      {r.EventPattern && <Code text={pretty(r.EventPattern)} label="The pattern" />}
      {r.ScheduleExpression && <Code text={r.ScheduleExpression} label="The expression" />}
      <h3>Targets</h3>
      <Show of={targets} lines={2}>
        {(list) =>
          list.length === 0 ? (
            <p class="muted">None: what it matches goes nowhere.</p>
          ) : (
            <ul class="things">
              {list.map((t) => (
                <li key={t.Id} class="wraps">
                  <span class="muted">{t.Arn.split(":")[2]}</span> <code class="wrap">{last(t.Arn)}</code>
                </li>
              ))}
            </ul>
          )
        }
      </Show>
    </Drawer>
  )
}
