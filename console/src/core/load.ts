// Loading what a screen shows.
import { useEffect, useRef, useState } from "preact/hooks"
import { asked, tick } from "./range"
import { Store, useStore } from "./store"

export interface Loaded<T> {
  data?: T
  error?: Error
  loading: boolean
  reload: () => void
}

// busy counts what is being loaded, for the line at the top of the page.
export const busy = new Store(0)

// useLoad loads something, and again at every tick and whenever id changes. What was
// loaded before stays while its successor comes, unless subject has changed: then it
// is of something else. A load that fails leaves what is shown and tells of the error.
export function useLoad<T>(id: string, load: (signal: AbortSignal) => Promise<T>, options: { subject?: string; still?: boolean } = {}): Loaded<T> {
  const [state, setState] = useState<{ subject?: string; data?: T; error?: Error; loading: boolean }>({ loading: true })
  const [again, setAgain] = useState(0)
  const moment = useStore(options.still ? asked : tick)
  const latest = useRef(load)
  latest.current = load
  useEffect(() => {
    const abort = new AbortController()
    let over = false
    const done = () => {
      if (!over) busy.set(busy.get() - 1)
      over = true
    }
    busy.set(busy.get() + 1)
    setState((s) => (s.subject === options.subject ? { ...s, loading: true } : { subject: options.subject, loading: true }))
    latest
      .current(abort.signal)
      .then((data) => !abort.signal.aborted && setState({ subject: options.subject, data, loading: false }))
      .catch((error: Error) => !abort.signal.aborted && setState((s) => ({ ...s, error, loading: false })))
      .finally(done)
    return () => {
      abort.abort()
      done()
    }
  }, [id, options.subject, again, moment])
  return { data: state.data, error: state.error, loading: state.loading, reload: () => setAgain(again + 1) }
}
