// Builder writes PromQL for who does not know it: a metric, what to make of it, and by
// what to tell its series apart.
import { useState } from "preact/hooks"
import { send } from "../../core/call"
import { useLoad } from "../../core/load"
import { Confirm } from "../../kit/overlay"
import { Failed } from "../../kit/panel"

interface Known {
  names: string[]
  about: Record<string, { type: string; help: string }[]>
}

const load = async (signal: AbortSignal): Promise<Known> => {
  const read = async <T,>(path: string) => ((await (await send(path, { signal })).json()) as { data: T }).data
  const [names, about] = await Promise.all([read<string[]>("/api/v1/label/__name__/values"), read<Known["about"]>("/api/v1/metadata")])
  return { names, about }
}

const ways: [string, string][] = [
  ["", "as it is"],
  ["rate", "a second (rate)"],
  ["increase", "in 5 minutes (increase)"],
  ["0.5", "median of a histogram"],
  ["0.95", "95th percentile of a histogram"],
  ["0.99", "99th percentile of a histogram"],
]

export function build(metric: string, way: string, by: string[]): string {
  const group = by.length > 0 ? ` by (${by.join(", ")})` : ""
  if (way === "") return by.length > 0 ? `sum${group} (${metric})` : metric
  if (way === "rate" || way === "increase") return `sum${group} (${way}(${metric}[5m]))`
  return `histogram_quantile(${way}, sum${group} (rate(${metric}[5m])))`
}

export function Builder({ use }: { use: (expr: string) => void }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <button type="button" class="small" onClick={() => setOpen(true)}>
        Choose a metric
      </button>
      {open && <Choose close={() => setOpen(false)} use={use} />}
    </>
  )
}

function Choose({ close, use }: { close: () => void; use: (expr: string) => void }) {
  const known = useLoad("metrics", load, { still: true })
  const [metric, setMetric] = useState("dropstack_function_invocations_total")
  const [way, setWay] = useState("rate")
  const [by, setBy] = useState<string[]>([])
  const labels = useLoad(
    `${metric} ${!!known.data}`,
    async (signal) => {
      if (!known.data?.names.includes(metric)) return []
      const answer = await send("/api/v1/labels?" + new URLSearchParams({ "match[]": `{__name__=${JSON.stringify(metric)}}` }), { signal })
      return ((await answer.json()) as { data: string[] }).data.filter((l) => l !== "__name__")
    },
    { still: true, subject: metric },
  )
  const about = known.data?.about[metric]?.[0]
  const expr = build(metric, way, by)
  return (
    <Confirm
      title="Choose a metric"
      verb="Draw it"
      close={close}
      act={async () => use(expr)}
    >
      <div class="stack">
        {known.error && <Failed error={known.error} retry={known.reload} />}
        <label class="field">
          <span>Metric</span>
          <input
            class="mono"
            list="metrics"
            required
            value={metric}
            onInput={(e) => {
              const name = e.currentTarget.value
              setMetric(name)
              setBy([])
              const type = known.data?.about[name]?.[0]?.type
              if (type) setWay(type === "counter" ? "rate" : type === "histogram" ? "0.95" : "")
            }}
          />
          <datalist id="metrics">{known.data?.names.map((n) => <option key={n} value={n} />)}</datalist>
          {about && (
            <span class="hint">
              {about.help} ({about.type})
            </span>
          )}
        </label>
        <label class="field">
          <span>What to make of it</span>
          <select value={way} onChange={(e) => setWay(e.currentTarget.value)}>
            {ways.map(([id, title]) => (
              <option key={id} value={id}>
                {title}
              </option>
            ))}
          </select>
        </label>
        {!!labels.data?.length && (
          <fieldset class="choices">
            <legend>A line for each</legend>
            {labels.data.map((l) => (
              <label key={l} class="row">
                <input type="checkbox" checked={by.includes(l)} onChange={() => setBy(by.includes(l) ? by.filter((x) => x !== l) : [...by, l])} /> {l}
              </label>
            ))}
          </fieldset>
        )}
        <pre class="expr" tabIndex={0} role="region" aria-label="The expression">
          {expr}
        </pre>
      </div>
    </Confirm>
  )
}
