import { useState } from "preact/hooks"
import { Icon } from "./icons"

// Copy is a button that copies a text.
export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false)
  const copy = async (e: MouseEvent) => {
    e.stopPropagation()
    await navigator.clipboard.writeText(text)
    setDone(true)
    setTimeout(() => setDone(false), 1500)
  }
  return (
    <button type="button" class="ghost small" onClick={copy} aria-label={done ? "Copied" : label} title={label}>
      <Icon name={done ? "check" : "copy"} size={14} />
    </button>
  )
}
