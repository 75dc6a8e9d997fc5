// Topics: what was published, what their subscriptions still owe, and what was given up.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { counted, counts, instant, one, span } from "../../core/metrics"
import { useRange } from "../../core/range"
import { href, useChoice } from "../../core/route"
import { functionOf, last } from "../../core/words"
import { Chart, lines } from "../../kit/chart"
import { ago, count, duration, moment, plural } from "../../kit/format"
import { Icon } from "../../kit/icons"
import { Confirm, Drawer } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Code, pretty } from "../../kit/code"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

interface Subscription {
  arn: string
  topic: string
  stack: string
  protocol: string
  endpoint: string
  state: string
  delivered: number
  failed: number // attempts
  dead: number
  filtered: number
  backlog: number
  oldest: number // nanoseconds
}

interface Status {
  topics: string[]
  subscriptions: Subscription[]
}

interface Letter {
  messageId: string
  published: string
  time: string
  error: string
  record: string // base64
}

const sum = (list: Subscription[], of: (s: Subscription) => number) => list.reduce((n, s) => n + of(s), 0)

export function Topics() {
  const range = useRange()
  const [open, setOpen] = useChoice("open")
  const id = `${range.start} ${range.end}`
  const status = useLoad("topics", (signal) => control<Status>("TopicStatus", {}, signal), { still: true })
  const published = useLoad(id, async (signal) => new Map((await instant(`sum by (topic) (${counted("dropstack_topic_published_total", span(range))})`, range, signal)).map((s) => [s.labels.topic, one([s])])))
  const over = useLoad(id + "over", async (signal) => lines(await counts("topic", "dropstack_topic_published_total", range, signal), (l) => l.topic ?? ""))
  const results = useLoad(id + "results", async (signal) =>
    lines(await counts("result", "dropstack_topic_deliveries_total", range, signal), (l) => l.result ?? "").map((l) => ({ ...l, tone: l.label === "dead" ? "--bad" : l.label === "failed" ? "--warn" : undefined })),
  )
  return (
    <>
      <div class="grid two">
        <Chart title="Published" range={range} lines={over} area total empty="Nothing was published in this time" />
        <Chart title="Deliveries" range={range} lines={results} area total empty="Nothing was delivered in this time" />
      </div>
      <Show of={status}>
        {(all) => {
          const rows = all.topics.map((arn) => ({ arn, subs: all.subscriptions.filter((s) => s.topic === arn) }))
          const opened = rows.find((r) => r.arn === open)
          return (
            <>
              <Panel title="Topics" flush>
                <Table
                  label="Topics"
                  rows={rows}
                  id={(r) => r.arn}
                  open={(r) => setOpen(r.arn)}
                  order="name"
                  empty={
                    <Empty icon="topic" title="No topics yet">
                      An <code>sns</code> event of a function, or <code>aws sns create-topic</code>, makes one. Each subscription gets every message that is published.
                    </Empty>
                  }
                  columns={[
                    { name: "name", title: "Topic", grow: true, sort: (r) => last(r.arn), cell: (r) => last(r.arn) },
                    { name: "published", title: "Published", right: true, sort: (r) => published.data?.get(last(r.arn)) ?? 0, cell: (r) => (published.data ? count(published.data.get(last(r.arn)) ?? 0) : "…") },
                    { name: "subs", title: "Subscriptions", right: true, sort: (r) => r.subs.length, cell: (r) => count(r.subs.length) },
                    { name: "backlog", title: "Backlog", right: true, sort: (r) => sum(r.subs, (s) => s.backlog), cell: (r) => <Backlog of={r.subs} /> },
                    { name: "dead", title: "Dead letters", right: true, sort: (r) => sum(r.subs, (s) => s.dead), cell: (r) => <Dead n={sum(r.subs, (s) => s.dead)} /> },
                  ]}
                />
              </Panel>
              {opened && <Opened arn={opened.arn} subs={opened.subs} close={() => setOpen("")} changed={status.reload} />}
            </>
          )
        }}
      </Show>
    </>
  )
}

const Dead = ({ n }: { n: number }) => (n > 0 ? <Badge tone="bad">{count(n)}</Badge> : <span class="muted">0</span>)

function Backlog({ of }: { of: Subscription[] }) {
  const n = sum(of, (s) => s.backlog)
  const oldest = Math.max(0, ...of.map((s) => s.oldest)) / 1e9
  if (n === 0) return <span class="muted">0</span>
  return (
    <span>
      {count(n)} <span class="muted">oldest {duration(Math.round(oldest))}</span>
    </span>
  )
}

function Opened({ arn, subs, close, changed }: { arn: string; subs: Subscription[]; close: () => void; changed: () => void }) {
  return (
    <Drawer title={last(arn)} close={close}>
      {subs.length === 0 && <p class="muted">Nobody has subscribed: what is published is gone.</p>}
      {subs.map((s) => (
        <section key={s.arn} class="stack part">
          <h3 class="wrap">
            {s.protocol} · {s.protocol === "lambda" || s.protocol === "sqs" ? last(s.endpoint) : s.endpoint}
          </h3>
          <div class="row">
            {s.state !== "confirmed" && <Badge tone="warn">{s.state}</Badge>}
            <Badge tone="good">{count(s.delivered)} delivered</Badge>
            {s.filtered > 0 && <Badge>{count(s.filtered)} filtered out</Badge>}
            {s.failed > 0 && <Badge tone="warn">{plural(s.failed, "failed attempt")}</Badge>}
            {s.backlog > 0 && <Badge tone="info">{count(s.backlog)} owed</Badge>}
            {s.dead > 0 && <Badge tone="bad">{plural(s.dead, "message")} given up</Badge>}
          </div>
          {s.dead > 0 && (s.protocol === "lambda" ? <OfFunction name={functionOf(s.endpoint)} /> : <Letters sub={s} changed={changed} />)}
        </section>
      ))}
    </Drawer>
  )
}

// What a function has given up is with its other dead letters.
const OfFunction = ({ name }: { name: string }) => (
  <p>
    They are among <a href={href("/events", { tab: "letters", function: name })}>the dead letters of {name}</a>, where it can be let try them again.
  </p>
)

// text is a message's record, which comes as base64.
const text = (base64: string) => pretty(new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))))

function Letters({ sub, changed }: { sub: Subscription; changed: () => void }) {
  const [asking, setAsking] = useState(false)
  const letters = useLoad("letters" + sub.arn, (signal) => control<Letter[]>("TopicLetters", { subscription: sub.arn, limit: 20 }, signal), { still: true, subject: sub.arn })
  return (
    <Show of={letters} lines={2}>
      {(list) =>
        list.length === 0 ? (
          <p class="muted">None of them is kept: they were delivered again, or are older than 14 days.</p>
        ) : (
          <>
            <ul class="records">
              {list.map((l) => (
                <li key={l.messageId} class="bad">
                  <details>
                    <summary>
                      <time title={moment(l.time)}>{ago(l.time)}</time>
                      <span>{l.error}</span>
                    </summary>
                    <Code text={text(l.record)} label="The message" />
                  </details>
                </li>
              ))}
            </ul>
            <div class="row">
              <button type="button" class="primary" onClick={() => setAsking(true)}>
                <Icon name="undo" size={14} /> Deliver them again
              </button>
            </div>
            {asking && (
              <Confirm
                title="Deliver dead letters again?"
                verb="Deliver again"
                close={() => setAsking(false)}
                act={async () => {
                  const done = await control<{ count: number }>("TopicRedrive", { subscription: sub.arn })
                  toast(`${plural(done.count, "message")} will be delivered again`)
                  letters.reload()
                  changed()
                }}
              >
                <p>Each goes to this subscription alone, the oldest first, and gets all its retries anew. What made them fail should be mended before.</p>
              </Confirm>
            )}
          </>
        )
      }
    </Show>
  )
}
