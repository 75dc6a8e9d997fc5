// Maintenance: times in which what is down calls nobody.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { moment } from "../../kit/format"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"
import type { Window } from "./shapes"

export function Maintenance({ monitors }: { monitors: string[] }) {
  const windows = useLoad("windows", (signal) => control<{ windows: Window[] }>("ListMaintenance", {}, signal).then((a) => a.windows), { still: true })
  const [planning, setPlanning] = useState(false)
  const [removing, setRemoving] = useState<Window>()
  return (
    <Panel
      title="Maintenance"
      flush
      actions={
        <button type="button" class="small" onClick={() => setPlanning(true)}>
          Plan maintenance
        </button>
      }
    >
      <Show of={windows}>
        {(list) => (
          <Table
            label="Maintenance windows"
            rows={list}
            id={(w) => w.id}
            choice="windows"
            empty={
              <Empty icon="schedule" title="None is planned">
                While a page is in maintenance nobody is told that it is down, and the time does not count.
              </Empty>
            }
            columns={[
              { name: "when", title: "When", cell: (w) => (w.weekly ? `${w.weekly} ${w.timezone ?? "UTC"}` : moment(w.start ?? "")) },
              { name: "length", title: "For", cell: (w) => w.length },
              { name: "monitors", title: "Monitors", grow: true, cell: (w) => (w.monitors?.length ? w.monitors.map((m) => <Badge key={m}>{m}</Badge>) : "all") },
              { name: "reason", title: "Why", cell: (w) => w.reason ?? "–" },
              {
                name: "remove",
                title: "",
                right: true,
                cell: (w) => (
                  <button type="button" class="small" onClick={() => setRemoving(w)}>
                    End<span class="sr"> the maintenance {w.reason}</span>
                  </button>
                ),
              },
            ]}
          />
        )}
      </Show>
      {removing && (
        <Confirm
          title="End this maintenance?"
          verb="End it"
          close={() => setRemoving(undefined)}
          act={async () => {
            await control("DeleteMaintenance", { id: removing.id })
            toast("The maintenance has ended")
            windows.reload()
          }}
        >
          <p>What is down then is an incident, and people are told of it.</p>
        </Confirm>
      )}
      {planning && <Plan monitors={monitors} close={() => setPlanning(false)} done={windows.reload} />}
    </Panel>
  )
}

function Plan({ monitors, close, done }: { monitors: string[]; close: () => void; done: () => void }) {
  const [monitor, setMonitor] = useState("")
  const [start, setStart] = useState("")
  const [length, setLength] = useState("1h")
  const [reason, setReason] = useState("")
  return (
    <Confirm
      title="Plan maintenance"
      verb="Plan it"
      close={close}
      act={async () => {
        await control("PutMaintenance", { monitors: monitor ? [monitor] : undefined, start: (start ? new Date(start) : new Date()).toISOString(), length, reason: reason || undefined })
        toast("Maintenance is planned")
        done()
      }}
    >
      <div class="stack">
        <label class="field">
          <span>Monitor</span>
          <select value={monitor} onChange={(e) => setMonitor(e.currentTarget.value)}>
            <option value="">all</option>
            {monitors.map((m) => (
              <option key={m}>{m}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Begins; empty: now</span>
          <input type="datetime-local" value={start} onInput={(e) => setStart(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Lasts, such as 30m or 2h</span>
          <input required pattern="(\d+[hm])+" value={length} onInput={(e) => setLength(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Why; the status page says it</span>
          <input value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
      </div>
    </Confirm>
  )
}
