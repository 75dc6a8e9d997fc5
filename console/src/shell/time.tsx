// The time that the screen looks at, and how often it loads anew.
import { useEffect, useRef, useState } from "preact/hooks"
import { presets, refreshes, reload, useRange } from "../core/range"
import { choose, useChoice } from "../core/route"
import { Icon } from "../kit/icons"

export function TimePicker() {
  const range = useRange()
  const [refresh, setRefresh] = useChoice("refresh", "15s")
  const [open, setOpen] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!open) return
    const away = (e: Event) => !box.current?.contains(e.target as Node) && setOpen(false)
    const escape = (e: KeyboardEvent) => e.key === "Escape" && setOpen(false)
    addEventListener("pointerdown", away)
    addEventListener("keydown", escape)
    return () => {
      removeEventListener("pointerdown", away)
      removeEventListener("keydown", escape)
    }
  }, [open])
  const pick = (from: string) => {
    choose({ from: from === "1h" ? undefined : from, to: undefined })
    setOpen(false)
  }
  return (
    <div class="time" ref={box}>
      <button type="button" aria-expanded={open} aria-haspopup="true" onClick={() => setOpen(!open)}>
        <Icon name="schedule" size={14} />
        <span>{range.label}</span>
        <Icon name="down" size={12} />
      </button>
      <button type="button" class="ghost" aria-label="Load anew" title="Load anew (r)" onClick={reload}>
        <Icon name="reload" size={14} />
      </button>
      {open && (
        <div class="menu" role="group" aria-label="Time">
          <div class="menu-list">
            {presets.map(([value, title]) => (
              <button key={value} type="button" aria-pressed={range.live && range.from === value} onClick={() => pick(value)}>
                {title}
              </button>
            ))}
          </div>
          <Custom
            start={range.start}
            end={range.end}
            apply={(a, b) => {
              choose({ from: String(a), to: String(b) })
              setOpen(false)
            }}
          />
          <label class="field inline">
            <span>Load anew every</span>
            <select value={refresh} onChange={(e) => setRefresh(e.currentTarget.value)}>
              {refreshes.map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
    </div>
  )
}

const local = (at: number) => {
  const d = new Date(at * 1000)
  return new Date(d.getTime() - d.getTimezoneOffset() * 60000).toISOString().slice(0, 16)
}

function Custom({ start, end, apply }: { start: number; end: number; apply: (a: number, b: number) => void }) {
  const [from, setFrom] = useState(local(start))
  const [till, setTill] = useState(local(end))
  const a = new Date(from).getTime() / 1000
  const b = new Date(till).getTime() / 1000
  return (
    <form
      class="custom"
      onSubmit={(e) => {
        e.preventDefault()
        if (a < b) apply(a, b)
      }}
    >
      <label class="field">
        <span>From</span>
        <input type="datetime-local" value={from} onInput={(e) => setFrom(e.currentTarget.value)} />
      </label>
      <label class="field">
        <span>To</span>
        <input type="datetime-local" value={till} onInput={(e) => setTill(e.currentTarget.value)} />
      </label>
      <button type="submit" disabled={!(a < b)}>
        Show
      </button>
    </form>
  )
}
