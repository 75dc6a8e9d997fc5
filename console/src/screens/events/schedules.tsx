// Schedules: when functions run, when they did, and running one now.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { counted, instant, one, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { href, to, useChoice } from "../../core/route"
import { functionOf, last, words } from "../../core/words"
import { ago, count, moment } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm, Drawer } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Schedule {
  stack: string
  name: string
  group?: string
  arn: string
  expression: string
  timezone: string
  disabled: boolean
  targets: string[]
  next: string[]
}

interface Handed {
  target: string
  error?: string
}

type Ticks = Map<string, number> // "name result": how many

export function Schedules() {
  const range = useRange()
  const [open, setOpen] = useChoice("open")
  const list = useLoad("schedules", async (signal) => (await control<Schedule[] | null>("ListSchedules", {}, signal)) ?? [], { still: true })
  const ticks = useLoad(`${range.start} ${range.end}`, async (signal): Promise<Ticks> =>
    new Map((await instant(`sum by (schedule, result) (${counted("dropstack_schedule_ticks_total", span(range))})`, range, signal)).map((s) => [`${s.labels.schedule} ${s.labels.result}`, one([s]) ?? 0])),
  )
  return (
    <Panel title="Schedules" flush>
      <Show of={list}>
        {(all) => {
          const opened = all.find((s) => s.arn === open)
          return (
            <>
              <Table
                label="Schedules"
                rows={all}
                id={(s) => s.arn}
                open={(s) => setOpen(s.arn)}
                order="next"
                choice="schedules"
                empty={
                  <Empty icon="schedule" title="No schedules yet">
                    A <code>schedule</code> event of a function, such as <code>rate(5 minutes)</code>, or <code>aws scheduler create-schedule</code>, makes one.
                  </Empty>
                }
                columns={[
                  { name: "name", title: "Schedule", sort: (s) => s.name, cell: (s) => s.name },
                  { name: "when", title: "When", grow: true, cell: (s) => <When s={s} /> },
                  { name: "targets", title: "Runs", quiet: true, cell: (s) => s.targets.map(last).join(", ") },
                  { name: "ticks", title: "In this time", cell: (s) => (ticks.data ? <Results of={s} ticks={ticks.data} /> : "…") },
                  {
                    name: "next",
                    title: "Next",
                    right: true,
                    sort: (s) => s.next[0] ?? "9",
                    cell: (s) => (s.disabled ? <Badge tone="warn">off</Badge> : s.next[0] ? <span title={moment(s.next[0])}>{ago(s.next[0])}</span> : <span class="muted">never</span>),
                  },
                ]}
              />
              {opened && <Opened s={opened} ticks={ticks.data} close={() => setOpen("")} changed={list.reload} />}
            </>
          )
        }}
      </Show>
    </Panel>
  )
}

function When({ s }: { s: Schedule }) {
  const text = words(s.expression)
  return (
    <span>
      {text ? <span title={s.expression}>{text}</span> : <code>{s.expression}</code>} {s.timezone !== "UTC" && <span class="muted">{s.timezone}</span>}
    </span>
  )
}

function Results({ of, ticks }: { of: Schedule; ticks: Ticks }) {
  const n = (result: string) => ticks.get(`${of.name} ${result}`) ?? 0
  if (n("fired") + n("missed") + n("failed") === 0) return <span class="muted">has not run</span>
  return (
    <span class="row">
      <Badge tone="good">{count(n("fired"))} ran</Badge>
      {n("failed") > 0 && <Badge tone="bad">{count(n("failed"))} failed</Badge>}
      {n("missed") > 0 && <Badge tone="warn">{count(n("missed"))} missed</Badge>}
    </span>
  )
}

function Opened({ s, ticks, close, changed }: { s: Schedule; ticks?: Ticks; close: () => void; changed: () => void }) {
  const [asking, setAsking] = useState<"run" | "switch">()
  return (
    <Drawer title={s.name} close={close}>
      <dl class="facts">
        <dt>Stack</dt>
        <dd>{s.stack}</dd>
        {s.group && (
          <>
            <dt>Group</dt>
            <dd>{s.group}</dd>
          </>
        )}
        <dt>Expression</dt>
        <dd>
          <code class="wrap">{s.expression}</code> <span class="muted">{s.timezone}</span>
        </dd>
        {words(s.expression) && (
          <>
            <dt>In words</dt>
            <dd>{words(s.expression)}</dd>
          </>
        )}
        <dt>Runs</dt>
        <dd>
          {s.targets.length === 0 && "nobody"}
          {s.targets.map((t) => (
            <div key={t} class="wrap">
              {t.startsWith("arn:") ? t : <a href={href(to("functions", functionOf(t)), { tab: "invocations" })}>{t}</a>}
            </div>
          ))}
        </dd>
        <dt>In this time</dt>
        <dd>{ticks && <Results of={s} ticks={ticks} />}</dd>
      </dl>
      <h3>Next</h3>
      {s.next.length === 0 ? (
        <p class="muted">{s.disabled ? "It is off." : "It does not run again."}</p>
      ) : (
        <ol class="things">
          {s.next.map((at) => (
            <li key={at}>
              <Icon name="schedule" size={14} /> {moment(at)} <span class="muted">{ago(at)}</span>
            </li>
          ))}
        </ol>
      )}
      <div class="row">
        <button type="button" class="primary" disabled={s.targets.length === 0} onClick={() => setAsking("run")}>
          <Icon name="play" size={14} /> Run it now
        </button>
        <button type="button" onClick={() => setAsking("switch")}>
          {s.disabled ? "Turn it on" : "Turn it off"}
        </button>
      </div>
      {asking === "run" && (
        <Confirm
          title={`Run ${s.name} now?`}
          verb="Run now"
          close={() => setAsking(undefined)}
          act={async () => {
            const handed = await control<Handed[]>("RunSchedule", { arn: s.arn })
            const bad = handed.find((h) => h.error)
            if (bad) throw new Error(`${last(bad.target)}: ${bad.error}`)
            toast(`${handed.map((h) => last(h.target)).join(", ")} got a tick`)
          }}
        >
          <p>{s.targets.map(last).join(", ")} gets a tick of this second, as it would by the schedule, whose own ticks come as they would have.</p>
        </Confirm>
      )}
      {asking === "switch" && (
        <Confirm
          title={`Turn ${s.name} ${s.disabled ? "on" : "off"}?`}
          verb={s.disabled ? "Turn on" : "Turn off"}
          danger={!s.disabled}
          close={() => setAsking(undefined)}
          act={async () => {
            await control("SwitchSchedule", { arn: s.arn, disabled: !s.disabled })
            toast(`${s.name} is ${s.disabled ? "on" : "off"}`)
            changed()
          }}
        >
          <p>This makes a revision of {s.stack}, and holds until that is deployed again.</p>
        </Confirm>
      )}
    </Drawer>
  )
}
