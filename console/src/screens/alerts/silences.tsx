// Silences: alerts that nobody is told of for a while.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import type { Loaded } from "../../core/load"
import { choose } from "../../core/route"
import { ago, moment } from "../../kit/format"
import { Confirm } from "../../kit/overlay"
import { Badge, Empty, Panel, Show } from "../../kit/panel"
import { Table } from "../../kit/table"
import { toast } from "../../kit/toast"

export interface Silence {
  id: string
  matchers: string[]
  state: string
  starts: string
  ends: string
  by: string
  comment: string
}

const matcher = /([\w.]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^,{}"]*)/g

// matchersOf reads {a="b",c=~"d"}, with or without braces.
export const matchersOf = (text: string) => [...text.matchAll(matcher)].map((m) => m[0].trim())

// matched says whether all matchers are about an alert.
export function matched(matchers: string[], labels: Record<string, string>): boolean {
  return matchers.every((m) => {
    const [, name = "", op = "", raw = ""] = [...m.matchAll(matcher)][0] ?? []
    let value = raw
    try {
      if (raw[0] === '"') value = JSON.parse(raw) as string
      const have = labels[name] ?? ""
      const same = op.endsWith("~") ? new RegExp(`^(?:${value})$`).test(have) : have === value
      return op[0] === "!" ? !same : same
    } catch {
      return false
    }
  })
}

export function Silences({ silences }: { silences: Loaded<Silence[]> }) {
  const [ending, setEnding] = useState<Silence>()
  return (
    <Panel
      title="Silences"
      flush
      actions={
        <button type="button" class="small" onClick={() => choose({ silence: "new" })}>
          New silence
        </button>
      }
    >
      <Show of={silences}>
        {(list) => (
          <Table
            label="Silences"
            rows={list}
            id={(s) => s.id}
            choice="silences"
            empty={
              <Empty icon="pause" title="Nothing is silenced">
                A silence keeps receivers from being told of alerts while something is being mended. What fires stays on these pages.
              </Empty>
            }
            columns={[
              { name: "matchers", title: "Alerts", grow: true, cell: (s) => <code class="wrap">{s.matchers.join(" ")}</code> },
              { name: "state", title: "State", cell: (s) => <Badge tone={s.state === "active" ? "info" : "plain"}>{s.state}</Badge> },
              { name: "ends", title: "Until", sort: (s) => s.ends, cell: (s) => <span title={moment(s.ends)}>{ago(s.ends)}</span> },
              { name: "comment", title: "Why", cell: (s) => s.comment },
              { name: "by", title: "By", quiet: true, cell: (s) => <span class="muted">{s.by.split("/").at(-1)}</span> },
              {
                name: "end",
                title: "",
                right: true,
                cell: (s) => (
                  <button type="button" class="small" onClick={() => setEnding(s)}>
                    End<span class="sr"> the silence of {s.matchers.join(" ")}</span>
                  </button>
                ),
              },
            ]}
          />
        )}
      </Show>
      {ending && (
        <Confirm
          title="End this silence?"
          verb="End the silence"
          close={() => setEnding(undefined)}
          act={async () => {
            await control("ExpireSilence", { id: ending.id })
            toast("The silence has ended")
            silences.reload()
          }}
        >
          <p>
            Receivers are told at once of alerts that fire and have <code class="wrap">{ending.matchers.join(" ")}</code>.
          </p>
        </Confirm>
      )}
    </Panel>
  )
}

const lengths: [number, string][] = [
  [1800, "30 minutes"],
  [3600, "an hour"],
  [14400, "4 hours"],
  [86400, "a day"],
  [604800, "a week"],
]

export function SilenceForm({ given, close, done }: { given: string; close: () => void; done: () => void }) {
  const [text, setText] = useState(given === "new" ? "" : matchersOf(given).join("\n"))
  const [length, setLength] = useState(3600)
  const [comment, setComment] = useState("")
  const matchers = text
    .split("\n")
    .map((l) => l.trim())
    .filter(Boolean)
  return (
    <Confirm
      title="Silence alerts"
      verb={`Silence for ${lengths.find(([s]) => s === length)![1]}`}
      close={close}
      act={async () => {
        await control("PutSilence", { matchers, seconds: length, comment })
        toast("Silenced")
        done()
      }}
    >
      <div class="stack">
        <label class="field">
          <span>Alerts that have all of these labels, one a line</span>
          <textarea class="mono" rows={Math.max(3, matchers.length)} required placeholder={'alertname="FunctionErrors"\nfunction=~"shop-.*"'} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>For</span>
          <select value={length} onChange={(e) => setLength(Number(e.currentTarget.value))}>
            {lengths.map(([s, title]) => (
              <option key={s} value={s}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Why, for whoever wonders</span>
          <input required value={comment} onInput={(e) => setComment(e.currentTarget.value)} />
        </label>
        <p class="muted small">Nobody is told of these alerts meanwhile. They stay on this page.</p>
      </div>
    </Confirm>
  )
}
