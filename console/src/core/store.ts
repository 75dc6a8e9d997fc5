// A value that components watch. What is not state of one component and does not
// belong in the URL lives in one of these.
import { useEffect, useState } from "preact/hooks"

export class Store<T> {
  private watchers = new Set<() => void>()
  constructor(private value: T) {}
  get = () => this.value
  set = (next: T) => {
    if (Object.is(next, this.value)) return
    this.value = next
    for (const watcher of [...this.watchers]) watcher()
  }
  watch = (watcher: () => void) => {
    this.watchers.add(watcher)
    return () => void this.watchers.delete(watcher)
  }
}

export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.get())
  useEffect(() => {
    setValue(store.get())
    return store.watch(() => setValue(store.get()))
  }, [store])
  return value
}
