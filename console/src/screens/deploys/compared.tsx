// What became of a deployment's functions, held against the versions before.
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { href, to } from "../../core/route"
import { count, plural } from "../../kit/format"
import { Badge, Show, type Tone } from "../../kit/panel"

interface Figures {
  invocations: number
  errors: number
  p50: number // seconds
  p95: number
}

interface Comparison {
  revision: string
  functions: { name: string; verdict: "" | "too few" | "same" | "better" | "worse"; words?: string; old?: Figures; new?: Figures }[]
}

const verdicts: Record<string, [string, Tone]> = {
  "too few": ["too few invocations to tell", "plain"],
  same: ["as before", "good"],
  better: ["better", "good"],
  worse: ["worse", "bad"],
}

const order = ["worse", "better", "same", "too few"]

const ms = (seconds: number) => `${count(Math.round(seconds * 1000))} ms`
const said = (f: Figures) => `${plural(f.invocations, "invocation")}, ${plural(f.errors, "error")}, half within ${ms(f.p50)}, 95 of 100 within ${ms(f.p95)}`

export function Compared({ stack, id }: { stack: string; id: string }) {
  const found = useLoad(
    "compared",
    async (signal) => (await control<{ comparisons: Comparison[] }>("ListComparisons", { stack }, signal)).comparisons.find((c) => c.revision === id) ?? null,
    { still: true, subject: `${stack} ${id}` },
  )
  return (
    <Show of={found} lines={1}>
      {(c) => {
        if (!c) return null
        const judged = c.functions.filter((f) => f.verdict).sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict))
        const rest = c.functions.length - judged.length
        return (
          <>
            <h3>Compared with the versions before</h3>
            <ul class="changes">
              {judged.slice(0, 60).map((f) => {
                const [word, tone] = verdicts[f.verdict] ?? [f.verdict, "plain" as Tone]
                return (
                  <li key={f.name}>
                    <Badge tone={tone}>{word}</Badge> <a href={href(to("functions", f.name))}>{f.name}</a> {f.words && <span class="wrap">{f.words}</span>}
                    {f.old?.invocations && f.new?.invocations ? (
                      <dl class="facts">
                        <div>
                          <dt>Before</dt>
                          <dd>{said(f.old)}</dd>
                        </div>
                        <div>
                          <dt>Since</dt>
                          <dd>{said(f.new)}</dd>
                        </div>
                      </dl>
                    ) : null}
                  </li>
                )
              })}
              {judged.length > 60 && <li class="muted">and {judged.length - 60} more</li>}
            </ul>
            {rest > 0 && <p class="muted">{plural(rest, "function")} not judged yet: after 200 invocations, or 15 minutes.</p>}
          </>
        )
      }}
    </Show>
  )
}
