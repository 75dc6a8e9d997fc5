import { duration, ratio } from "../../kit/format"
import type { Day } from "./shapes"

// Days are the last 90, a bar each: how high it is coloured is how much of it was well.
export function Days({ days, height = 26 }: { days: Day[]; height?: number }) {
  const known = new Map(days.map((d) => [d.day, d]))
  const today = Math.floor(Date.now() / 86_400_000)
  const bars = Array.from({ length: 90 }, (_, i) => {
    const name = new Date((today - 89 + i) * 86_400_000).toISOString().slice(0, 10)
    const d = known.get(name)
    const seen = d ? (d.up ?? 0) + (d.slow ?? 0) + (d.down ?? 0) : 0
    return { name, d, down: seen > 0 ? (d!.down ?? 0) / seen : 0, slow: seen > 0 ? (d!.slow ?? 0) / seen : 0, seen: seen > 0 || !!d?.maintenance }
  })
  const bad = bars.filter((b) => b.down > 0).length
  return (
    <svg class="days" viewBox={`0 0 450 ${height}`} height={height} preserveAspectRatio="none" role="img" aria-label={`Of the last 90 days ${bars.filter((b) => b.seen).length} are known, ${bad} with an outage`}>
      {bars.map((b, i) => (
        <rect key={b.name} x={i * 5} y={0} width={4} height={height} rx={1} class={!b.seen ? "none" : b.down >= 0.05 ? "bad" : b.down > 0 ? "part" : b.slow > 0.1 ? "warn" : "good"}>
          <title>{`${b.name}: ${!b.seen ? "not known" : b.down > 0 ? `down for ${duration(b.d!.down ?? 0)}, ${ratio(1 - b.down)} up` : "up"}`}</title>
        </rect>
      ))}
    </svg>
  )
}
