// Questions to the log store by CloudWatch Logs Insights: started, then asked for until
// they are answered.
import { Fault, logs } from "./call"
import type { Range } from "./range"

export type Row = Record<string, string>

interface Results {
  status: string
  results: { field: string; value: string }[][]
}

const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((done, fail) => {
    const timer = setTimeout(done, ms)
    signal?.addEventListener("abort", () => {
      clearTimeout(timer)
      fail(new DOMException("left", "AbortError"))
    })
  })

// insights answers a query over log groups; a name that ends with * stands for all that
// begin so. Groups that are not there yet have no rows.
export async function insights(groups: string[], query: string, range: Range, signal?: AbortSignal): Promise<Row[]> {
  let id: string
  try {
    id = (await logs<{ queryId: string }>("StartQuery", { logGroupNames: groups, queryString: query, startTime: range.start, endTime: Math.ceil(range.end) }, signal)).queryId
  } catch (e) {
    if (e instanceof Fault && e.code === "ResourceNotFoundException") return []
    throw e
  }
  for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
    const answer = await logs<Results>("GetQueryResults", { queryId: id }, signal)
    if (answer.status === "Complete") return answer.results.map((row) => Object.fromEntries(row.map((f) => [f.field, f.value])))
    if (answer.status !== "Running" && answer.status !== "Scheduled") throw new Error(`the query over ${groups.join(", ")} ended as ${answer.status}; look at a shorter time`)
    await pause(wait, signal)
  }
}
