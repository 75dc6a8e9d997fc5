import type { Use } from "../../core/search"
import { count, ratio } from "../../kit/format"
import { Empty } from "../../kit/panel"

const dull = ["@timestamp", "@ingestionTime", "@message", "@ptr", "@log"]

// Fields are those that records have, with their most frequent values.
export function Fields({ list, filter }: { list: Use[]; filter: (field: string, value: string, not?: boolean) => void }) {
  const shown = list.filter((f) => !dull.includes(f.name))
  if (shown.length === 0) return <Empty title="No fields">Members of messages that are JSON are fields, and so are the columns of access logs.</Empty>
  return (
    <div class="facets">
      {shown.slice(0, 60).map((f) => (
        <details key={f.name}>
          <summary>
            <code>{f.name}</code>
            <span class="muted">{ratio(f.percent / 100)}</span>
          </summary>
          {f.values?.length ? (
            <ul>
              {f.values.map((v) => (
                <li key={v.value}>
                  <button type="button" class="link" title={`Only records with ${f.name} = ${v.value}`} onClick={() => filter(f.name, v.value)}>
                    {v.value || "(empty)"}
                  </button>
                  <span class="muted">{count(v.count)}</span>
                  <button type="button" class="ghost small" aria-label={`Leave out ${f.name} = ${v.value}`} title="Leave out" onClick={() => filter(f.name, v.value, true)}>
                    −
                  </button>
                </li>
              ))}
            </ul>
          ) : (
            <p class="muted small">Each record has a value of its own.</p>
          )}
        </details>
      ))}
    </div>
  )
}
