// Why a rule fires, or does not: the parts of its expression and what they are.
import { control } from "../../core/call"
import { useLoad } from "../../core/load"
import { ago, count } from "../../kit/format"
import { Drawer } from "../../kit/overlay"
import { Badge, Show } from "../../kit/panel"
import { Spark } from "../../kit/spark"
import type { ActiveAlert, Rule } from "./alert"

interface Part {
  expr: string
  condition?: string
  series: number
  holding: number
  values: { labels: Record<string, string>; now: number | null; last: (number | null)[]; holds?: boolean; missing?: number }[]
}

type Explanation = Rule & { active: ActiveAlert[]; parts: Part[]; changed?: string }

const points = (last: (number | null)[]) => last.flatMap((v, i) => (v === null ? [] : [[i, v] as [number, number]]))

export function Why({ name, labels, close }: { name: string; labels?: Record<string, string>; close: () => void }) {
  const told = useLoad(name, (signal) => control<Explanation>("ExplainAlert", { name, labels }, signal), { still: true })
  return (
    <Drawer title={`Why ${name}`} close={close}>
      <Show of={told}>
        {(e) => (
          <div class="stack wide-gap">
            <p>
              {e.active.length > 0 ? `It is ${e.state}.` : "It does not fire."} {e.changed && <span class="muted">An alert of it last began or ended {ago(e.changed)}.</span>}{" "}
              {e.for ? <span class="muted">Its condition has to hold for {e.for / 1e9} s.</span> : null}
            </p>
            {e.query && <p class="muted">It asks the logs; the rows that they answer are the alerts.</p>}
            {e.parts.map((p, i) => (
              <section key={p.expr + p.condition} class="stack">
                <pre class="expr" tabIndex={0} role="region" aria-label={`Part ${i + 1} of the expression`}>
                  {p.expr} {p.condition && <strong>{p.condition}</strong>}
                </pre>
                {p.condition && (
                  <p class="muted small">
                    {p.series === 0 ? "Nothing is measured that this asks about." : `Holds for ${p.holding} of ${p.series}.`}
                  </p>
                )}
                <ul class="things">
                  {p.values.map((v) => (
                    <li key={JSON.stringify(v.labels)}>
                      <span class="grow wrap">
                        {Object.entries(v.labels)
                          .filter(([k]) => k !== "__name__")
                          .map(([k, x]) => `${k} ${x}`)
                          .join(", ") || "all"}
                      </span>
                      <Spark points={points(v.last)} range={{ start: 0, end: 60 }} tone={v.holds ? "bad" : ""} />
                      <strong>{v.now === null ? "–" : count(v.now)}</strong>
                      {p.condition && (v.holds ? <Badge tone="bad">holds</Badge> : <Badge>{v.missing === undefined ? "does not hold" : `${count(v.missing)} short`}</Badge>)}
                    </li>
                  ))}
                </ul>
              </section>
            ))}
            {e.error && <p class="bad">{e.error}</p>}
            <p class="muted small">The lines are the last hour. {e.source === "built in" ? "The rule is built in." : e.source && `The rule stands in ${e.source}.`}</p>
          </div>
        )}
      </Show>
    </Drawer>
  )
}
