// Records as they are written. What they are narrowed down to is the search that the
// query begins with, as far as a pattern of CloudWatch can say it: words and phrases.
import { useEffect, useState } from "preact/hooks"
import type { LogEvent } from "../../core/invocations"
import { groupNames, head } from "../../core/search"
import { follow } from "../../core/tail"
import { Empty, Failed, Panel } from "../../kit/panel"
import { RecordList } from "../function/records"

// wordsOf are the words of a search; undefined if it asks for more than words.
export function wordsOf(query: string): string[] | undefined {
  const words = head(query).match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  if (words.length === 1 && words[0] === "*") return []
  if (words.some((w) => w === "OR" || w === "NOT" || /^[-(/]/.test(w) || (w[0] !== '"' && /[:*()|]/.test(w)))) return undefined
  return words.filter((w) => w !== "AND")
}

export function Live({ groups, query }: { groups: string[]; query: string }) {
  const [records, setRecords] = useState<LogEvent[]>([])
  const [lost, setLost] = useState(0)
  const [error, setError] = useState<Error>()
  const words = wordsOf(query)
  const pattern = words?.map((w) => (w[0] === '"' ? w : JSON.stringify(w))).join(" ")
  useEffect(() => {
    const abort = new AbortController()
    let n = 0
    setRecords([])
    setLost(0)
    setError(undefined)
    if (pattern === undefined) return
    const take = (come: Parameters<Parameters<typeof follow>[2]>[0], gone: number) => {
      const more = come.map((r) => ({ eventId: `live-${n++}`, timestamp: r.time, message: r.message, logStreamName: r.stream, requestId: r.requestId }))
      setRecords((old) => [...more.reverse(), ...old].slice(0, 1000))
      if (gone) setLost((l) => l + gone)
    }
    const begin = async () => {
      const named = groups.some((g) => g.endsWith("*")) ? (await groupNames(abort.signal)).filter((name) => groups.some((g) => (g.endsWith("*") ? name.startsWith(g.slice(0, -1)) : name === g))) : groups
      if (named.length === 0) throw new Error("there is no log group of that name yet")
      await follow(named, pattern, take, abort.signal)
      throw new Error("the platform has ended")
    }
    begin().catch((e: Error) => !abort.signal.aborted && setError(e))
    return () => abort.abort()
  }, [groups, pattern])
  return (
    <Panel title="As it is written" note={lost > 0 ? `${lost} records came too fast and are left out` : undefined}>
      {pattern === undefined ? (
        <Empty icon="logs" title="This search cannot be followed">
          Words and phrases can, which all have to be in a message. Search again without fields, OR and NOT.
        </Empty>
      ) : (
        <>
          {error && <Failed error={error} />}
          {records.length > 0 ? (
            <RecordList records={records} />
          ) : (
            !error && (
              <Empty icon="logs" title="Waiting for the next record">
                What is logged is here at once.
              </Empty>
            )
          )}
        </>
      )}
    </Panel>
  )
}
