// What a query has found so far, and what that took.
import { useState } from "preact/hooks"
import { useLoad } from "../../core/load"
import type { Range } from "../../core/range"
import { ask, type Found } from "../../core/search"
import { bytes, count, plural } from "../../kit/format"

// useFound runs a query and has what it has found so far.
export function useFound(groups: string[], query: string, range: Range, limit: number) {
  const [part, setPart] = useState<Found>()
  const id = `${groups} ${query} ${range.start} ${range.end} ${limit}`
  const all = useLoad(
    id,
    async (signal) => {
      setPart(undefined)
      return ask(groups, query, range, limit, signal, (found) => !signal.aborted && setPart(found))
    },
    { subject: id, still: true },
  )
  return { ...all, data: all.data ?? part, partial: !all.data && !!part }
}

// Told is what it took to answer.
export function Told({ found, partial }: { found?: Found; partial: boolean }) {
  if (!found) return null
  return <>{`${partial ? "so far " : ""}${count(found.matched)} found of ${plural(found.scanned, "record")}, ${bytes(found.bytes)} read`}</>
}
