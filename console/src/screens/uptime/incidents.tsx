// Incidents: what was seen, what happened, who looks after it.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { href, to } from "../../core/route"
import { Code } from "../../kit/code"
import { ago, clock, duration, moment } from "../../kit/format"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty } from "../../kit/panel"
import { toast } from "../../kit/toast"
import { type Incident, type Result, tones } from "./shapes"

export function Incidents({ list, named, reload }: { list: Incident[]; named?: boolean; reload: () => void }) {
  const [taking, setTaking] = useState<Incident>()
  const [note, setNote] = useState("")
  if (list.length === 0) {
    return (
      <Empty icon="check" title="No incidents">
        When more than half of the locations find a page down, or slow twice in a row, it is here with what each of them saw.
      </Empty>
    )
  }
  return (
    <div class="stack">
      {list.map((i) => (
        <details key={i.id} class="incident" open={!i.resolved && list.length < 4}>
          <summary>
            <Badge tone={i.resolved ? "plain" : tones[i.state]} dot>
              {i.resolved ? `was ${i.state}` : i.state}
            </Badge>
            <strong class="grow wrap">
              {named && `${i.monitor}: `}
              {i.cause ?? "no cause is known"}
            </strong>
            <span class="muted small" title={moment(i.opened)}>
              {ago(i.opened)}, {i.resolved ? `for ${duration((Date.parse(i.resolved) - Date.parse(i.opened)) / 1000)}` : "goes on"}
            </span>
          </summary>
          <div class="stack">
            <ol class="timeline">
              {i.timeline.map((e, n) => (
                <li key={n}>
                  <time dateTime={e.at} title={moment(e.at)}>
                    {clock(Date.parse(e.at))}
                  </time>
                  <span>
                    <strong>{e.event}</strong> {e.location && `at ${e.location}: `}
                    {e.text}
                  </span>
                </li>
              ))}
            </ol>
            {i.evidence?.map((r) => <Evidence key={r.id} result={r} />)}
            <div class="row">
              {!i.resolved && !i.acknowledged && (
                <button type="button" class="small" onClick={() => setTaking(i)}>
                  Acknowledge<span class="sr"> the incident of {i.monitor}</span>
                </button>
              )}
              {i.acknowledgedBy && <span class="muted small">{i.acknowledgedBy.split(/[/:]/).at(-1)} looks after it.</span>}
              {named && (
                <a class="small" href={href(to("uptime", i.monitor))}>
                  {i.monitor}
                </a>
              )}
            </div>
          </div>
        </details>
      ))}
      {taking && (
        <Confirm
          title="Acknowledge"
          verb="Acknowledge"
          close={() => setTaking(undefined)}
          act={async () => {
            await control("AcknowledgeIncident", { monitor: taking.monitor, text: note })
            toast("Acknowledged")
            setNote("")
            reload()
          }}
        >
          <label class="field">
            <span>What you are doing, for the timeline</span>
            <input value={note} maxLength={500} onInput={(e) => setNote(e.currentTarget.value)} />
          </label>
        </Confirm>
      )}
    </div>
  )
}

export function Evidence({ result: r }: { result: Result }) {
  const e = r.evidence
  const head = Object.entries(e?.headers ?? {}).map(([k, v]) => `${k}: ${v}`)
  const text = [e?.error, e?.status, ...head, e?.body && "\n" + e.body].filter(Boolean).join("\n")
  return (
    <section class="stack">
      <h3>
        What {r.location ?? "it"} saw{e?.address && ` at ${e.address}`}, {clock(Date.parse(r.at))}
      </h3>
      {text ? <Code text={text} label={`What ${r.location} saw, ${moment(r.at)}`} /> : <p class="muted">{r.reason ?? "It answered as it should."}</p>}
    </section>
  )
}
