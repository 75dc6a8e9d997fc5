// Spark is a line the size of a word. What it shows is told by the number beside it.
// Before its first point, a series of counts was nothing: it begins where the range does.
export function Spark({ points, range, width = 96, height = 24, tone = "" }: { points: [number, number][]; range?: { start: number; end: number }; width?: number; height?: number; tone?: string }) {
  const values = points.map((p) => p[1]).filter(Number.isFinite)
  if (values.length < 2) return <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" />
  const max = Math.max(...values)
  const first = range?.start ?? points[0]![0]
  const span = (range?.end ?? points.at(-1)![0]) - first || 1
  const x = (t: number) => ((t - first) / span) * (width - 2) + 1
  const y = (v: number) => height - 2 - (max > 0 ? (v / max) * (height - 4) : 0)
  const line = points
    .filter((p) => Number.isFinite(p[1]))
    .map(([t, v], i) => `${i ? "L" : "M"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`)
    .join("")
  return (
    <svg class={"spark " + tone} width={width} height={height} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="fill" d={`${line}L${x(points.at(-1)![0]).toFixed(1)} ${height}L${x(points[0]![0]).toFixed(1)} ${height}Z`} />
      <path class="line" d={line} />
    </svg>
  )
}
