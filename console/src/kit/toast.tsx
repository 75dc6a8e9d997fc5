// A word about what has just been done, which goes away by itself.
import { Store, useStore } from "../core/store"
import { Icon } from "./icons"

interface Toast {
  id: number
  text: string
  bad: boolean
}

const toasts = new Store<Toast[]>([])
let last = 0

export function toast(text: string, bad = false): void {
  const t = { id: ++last, text, bad }
  toasts.set([...toasts.get(), t])
  setTimeout(() => toasts.set(toasts.get().filter((x) => x !== t)), bad ? 8000 : 4000)
}

export function Toasts() {
  const list = useStore(toasts)
  return (
    <div class="toasts" role="status" aria-live="polite">
      {list.map((t) => (
        <div key={t.id} class={"toast" + (t.bad ? " bad" : "")}>
          <Icon name={t.bad ? "warn" : "check"} /> {t.text}
        </div>
      ))}
    </div>
  )
}
