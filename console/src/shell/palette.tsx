// The palette: whatever can be gone to or done, by its name.
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import { listFunctions } from "../core/functions"
import { presets } from "../core/range"
import { choose, go, to } from "../core/route"
import { signOut } from "../core/session"
import { Icon, type IconName } from "../kit/icons"
import { Overlay } from "../kit/overlay"
import { toast } from "../kit/toast"
import { over } from "./keys"
import { screens } from "./screens"
import { choice, next } from "./theme"

interface Entry {
  title: string
  kind: string
  icon: IconName
  act: () => void
}

function fixed(): Entry[] {
  return [
    ...screens.filter((s) => s.group).map((s) => ({ title: s.title, kind: "Screen", icon: s.icon, act: () => go(s.path) })),
    ...presets.map(([from, title]) => ({ title, kind: "Time", icon: "schedule" as const, act: () => choose({ from, to: undefined }) })),
    {
      title: "Copy a link to this page",
      kind: "Action",
      icon: "link",
      act: () => void navigator.clipboard.writeText(location.href).then(() => toast("Link copied")),
    },
    { title: "Switch between light and dark", kind: "Action", icon: "moon", act: () => choice.set(next[choice.get()]) },
    { title: "Keyboard shortcuts", kind: "Action", icon: "key", act: () => over.set("help") },
    { title: "Sign out", kind: "Action", icon: "out", act: () => void signOut() },
  ]
}

export function Palette() {
  const [text, setText] = useState("")
  const [at, setAt] = useState(0)
  const [names, setNames] = useState<string[]>([])
  const list = useRef<HTMLUListElement>(null)
  useEffect(() => {
    listFunctions().then((l) => setNames(l.map((f) => f.FunctionName)), () => setNames([]))
  }, [])
  const found = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    const all: Entry[] = [
      ...fixed(),
      ...names.map((name) => ({ title: name, kind: "Function", icon: "function" as const, act: () => go(to("functions", name)) })),
    ]
    return all.filter((e) => words.every((w) => (e.title + " " + e.kind).toLowerCase().includes(w))).slice(0, 40)
  }, [text, names])
  const close = () => over.set("")
  const take = (e: Entry | undefined) => {
    close()
    e?.act()
  }
  const key = (e: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
    if (step) {
      e.preventDefault()
      const i = (at + step + found.length) % Math.max(found.length, 1)
      setAt(i)
      list.current?.children[i]?.scrollIntoView({ block: "nearest" })
    } else if (e.key === "Enter") {
      e.preventDefault()
      take(found[at])
    }
  }
  return (
    <Overlay kind="palette" title="Go to" close={close} bare>
      <div class="palette-input">
        <Icon name="search" />
        <input
          autofocus
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found.length ? `palette-${at}` : undefined}
          aria-label="Go to a screen or a function, or do something"
          placeholder="Go to a screen or a function, or do something"
          value={text}
          onInput={(e) => {
            setText(e.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={key}
        />
        <kbd>esc</kbd>
      </div>
      <ul id="palette-list" role="listbox" aria-label="Found" ref={list}>
        {found.map((e, i) => (
          <li key={e.kind + e.title} id={`palette-${i}`} role="option" aria-selected={i === at} onMouseMove={() => setAt(i)} onClick={() => take(e)}>
            <Icon name={e.icon} />
            <span>{e.title}</span>
            <small>{e.kind}</small>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="muted pad">Nothing is called that.</p>}
    </Overlay>
  )
}
