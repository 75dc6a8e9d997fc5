import { useEffect, useRef } from "preact/hooks"
import { href, route, useChoice } from "../core/route"
import { useStore } from "../core/store"

// Tabs are parts of a screen; which one is open stands in the URL. Each entry is its
// name there, its title and, if it counts something, how many.
export function Tabs({ name = "tab", tabs }: { name?: string; tabs: [string, string, (number | string)?][] }) {
  const { path } = useStore(route)
  const [open] = useChoice(name, tabs[0]![0])
  const bar = useRef<HTMLElement>(null)
  useEffect(() => bar.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [open])
  return (
    <nav class="tabs" aria-label="Parts of this page" ref={bar}>
      {tabs.map(([id, title, n]) => (
        <a key={id} href={href(path, { [name]: id === tabs[0]![0] ? undefined : id })} aria-current={open === id ? "page" : undefined}>
          {title}
          {n !== undefined && <span class="count">{n}</span>}
        </a>
      ))}
    </nav>
  )
}

// Segments are a choice among a few, as one control.
export function Segments({ label, value, options, choose }: { label: string; value: string; options: [string, string][]; choose: (value: string) => void }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([id, title]) => (
        <button key={id} type="button" aria-pressed={value === id} onClick={() => choose(id)}>
          {title}
        </button>
      ))}
    </div>
  )
}
