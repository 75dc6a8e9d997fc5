// Records that were found; one opens to all its fields.
import { useState } from "preact/hooks"
import { useLoad } from "../../core/load"
import { href, to } from "../../core/route"
import { moment, record, type Row } from "../../core/search"
import { Code, pretty } from "../../kit/code"
import { Copy } from "../../kit/copy"
import { exact, moment as full } from "../../kit/format"
import { Show } from "../../kit/panel"
import { levelOf } from "../function/records"

type Filter = (field: string, value: string, not?: boolean) => void

export function Records({ rows, filter }: { rows: Row[]; filter: Filter }) {
  const [shown, setShown] = useState(100)
  return (
    <>
      <ol class="records">
        {rows.slice(0, shown).map((r) => (
          <Record key={r["@ptr"]} row={r} filter={filter} />
        ))}
      </ol>
      {rows.length > shown && (
        <button type="button" class="more" onClick={() => setShown(shown + 200)}>
          {rows.length - shown} more
        </button>
      )}
    </>
  )
}

function Record({ row, filter }: { row: Row; filter: Filter }) {
  const [open, setOpen] = useState(false)
  const at = moment(row["@timestamp"])
  const line = (row["@message"] ?? Object.entries(row).filter(([k]) => k[0] !== "@").map(([k, v]) => `${k}=${v}`).join(" ")).trimEnd()
  return (
    <li class={levelOf(line)}>
      <details onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary>
          <time dateTime={Number.isFinite(at) ? new Date(at).toISOString() : undefined} title={Number.isFinite(at) ? full(at) : ""}>
            {Number.isFinite(at) ? exact(at) : "–"}
          </time>
          <span>{line.slice(0, 400)}</span>
        </summary>
        {open && <Whole ptr={row["@ptr"] ?? ""} filter={filter} />}
      </details>
    </li>
  )
}

function Whole({ ptr, filter }: { ptr: string; filter: Filter }) {
  const all = useLoad(ptr, (signal) => record(ptr, signal), { still: true })
  return (
    <div class="whole">
      <Show of={all} lines={3}>
        {(r) => {
          const trace = r["@xrayTraceId"]
          const message = r["@message"] ?? ""
          return (
            <>
              <Code text={pretty(message.trimEnd())} label="The record" />
              <div class="row">
                {trace && (
                  <a class="button small" href={href(to("traces", trace))}>
                    Trace
                  </a>
                )}
                {r["@requestId"] && (
                  <button type="button" class="small" onClick={() => filter("@requestId", r["@requestId"]!)}>
                    Records of this request
                  </button>
                )}
              </div>
              <dl class="facts">
                {Object.entries(r)
                  .filter(([k]) => k !== "@message" && k !== "@ptr")
                  .map(([k, v]) => (
                    <div key={k}>
                      <dt>{k}</dt>
                      <dd>
                        {v}
                        <span class="nowrap">
                          {k !== "@timestamp" && k !== "@ingestionTime" && (
                            <>
                              <button type="button" class="ghost small" aria-label={`Only records with ${k} = ${v}`} title="Filter for it" onClick={() => filter(k, v)}>
                                +
                              </button>
                              <button type="button" class="ghost small" aria-label={`Leave out ${k} = ${v}`} title="Filter it out" onClick={() => filter(k, v, true)}>
                                −
                              </button>
                            </>
                          )}
                          <Copy text={v} label={`Copy ${k}`} />
                        </span>
                      </dd>
                    </div>
                  ))}
              </dl>
            </>
          )
        }}
      </Show>
    </div>
  )
}
