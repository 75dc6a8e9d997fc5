// Add makes a monitor that no stack declares, after a check that shows what it sees.
import { useState } from "preact/hooks"
import { control } from "../../core/call"
import { Confirm } from "../../kit/overlay"
import { Badge, Failed } from "../../kit/panel"
import { toast } from "../../kit/toast"
import { type Result, tones } from "./shapes"

export function Add({ close, done }: { close: () => void; done: () => void }) {
  const [name, setName] = useState("")
  const [url, setURL] = useState("https://")
  const [interval, setInterval] = useState("1m")
  const [contains, setContains] = useState("")
  const [owner, setOwner] = useState("")
  const [results, setResults] = useState<Result[]>()
  const [error, setError] = useState<Error>()
  const [busy, setBusy] = useState(false)
  const monitor = { name, url, interval, owner: owner || undefined, expect: contains ? { contains: [contains] } : undefined }
  const test = async () => {
    setBusy(true)
    setError(undefined)
    try {
      setResults((await control<{ results: Result[] }>("TestMonitor", { monitor })).results)
    } catch (e) {
      setError(e as Error)
    }
    setBusy(false)
  }
  return (
    <Confirm
      title="Add a monitor"
      verb="Add"
      close={close}
      act={async () => {
        await control("PutMonitor", monitor)
        toast(`${name} is watched`)
        done()
      }}
    >
      <div class="stack">
        <label class="field">
          <span>Name</span>
          <input required placeholder="shop" value={name} onInput={(e) => setName(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>URL</span>
          <input required type="url" value={url} onInput={(e) => setURL(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Checked every</span>
          <select value={interval} onChange={(e) => setInterval(e.currentTarget.value)}>
            {["10s", "30s", "1m", "5m", "1h"].map((i) => (
              <option key={i}>{i}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>A text that has to be in the answer; empty: any</span>
          <input value={contains} onInput={(e) => setContains(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Who looks after it; may be empty</span>
          <input value={owner} onInput={(e) => setOwner(e.currentTarget.value)} />
        </label>
        <div class="row">
          <button type="button" disabled={busy || !name} aria-busy={busy} onClick={test}>
            Check it once
          </button>
          {results?.map((r) => (
            <span key={r.id} class="row">
              <Badge tone={tones[r.state]} dot>
                {r.location ?? "here"}: {r.state}
              </Badge>
              <span class="muted small">{r.reason ?? `answered ${r.status} in ${r.phases.total}`}</span>
            </span>
          ))}
        </div>
        {error && <Failed error={error} />}
      </div>
    </Confirm>
  )
}
