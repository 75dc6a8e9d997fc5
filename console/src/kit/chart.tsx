// Chart draws series over time. Dragging over it looks closer, the pointer is shown on
// every chart of the screen at the same time, and the button beside its title shows the
// numbers as a table instead, for who cannot see the lines.
import type { ComponentChildren } from "preact"
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import uPlot from "uplot"
import type { Loaded } from "../core/load"
import type { Series } from "../core/metrics"
import { type Range, zoom } from "../core/range"
import { useStore } from "../core/store"
import { theme } from "../shell/theme"
import { clock, moment, type Unit, value } from "./format"
import { Icon } from "./icons"
import { Empty, Failed, Skeleton } from "./panel"

export interface Line {
  label: string
  points: [number, number][]
  tone?: string // a colour of the stylesheet, such as --bad; else one of the palette's
}

export interface Mark {
  at: number // seconds
  label: string
}

// Level is a value that is drawn across, such as a threshold.
export interface Level {
  at: number
  label: string
}

interface Props {
  title: string
  range: Range
  lines: Loaded<Line[]>
  unit?: Unit
  marks?: Mark[]
  height?: number
  area?: boolean // fill below the lines
  bars?: boolean // bars, one a point, not lines
  levels?: Level[]
  total?: boolean // the legend tells sums, not the last values
  empty?: string
  actions?: ComponentChildren
}

// lines gives each series a label by what tells it apart.
export const lines = (list: Series[], label: (labels: Record<string, string>) => string): Line[] =>
  list.map((s) => ({ label: label(s.labels) || "all", points: s.points })).sort((a, b) => a.label.localeCompare(b.label, undefined, { numeric: true }))

const palette = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"]

export function Chart(props: Props) {
  const [table, setTable] = useState(false)
  const [hidden, setHidden] = useState<string[]>([])
  const list = props.lines.data
  const some = list?.some((l) => l.points.length > 0)
  const toggle = (label: string) => setHidden(hidden.includes(label) ? hidden.filter((x) => x !== label) : [...hidden, label])
  return (
    <section class={"panel chart" + (props.height && props.height < 150 ? " low" : "")}>
      <header class="panel-head">
        <h2>{props.title}</h2>
        <div class="grow" />
        {props.actions}
        {some && (
          <button type="button" class="ghost small" aria-pressed={table} aria-label={`${props.title} as a table`} title="Show as a table" onClick={() => setTable(!table)}>
            <Icon name="table" size={14} />
          </button>
        )}
      </header>
      <div class="panel-body">
        {props.lines.error && <Failed error={props.lines.error} retry={props.lines.reload} />}
        {list === undefined ? (
          !props.lines.error && <Skeleton lines={5} />
        ) : !some ? (
          <Empty title={props.empty ?? "No data in this time"} />
        ) : table ? (
          <Numbers lines={list} unit={props.unit} />
        ) : (
          <Plot {...props} list={list.filter((l) => !hidden.includes(l.label))} all={list} />
        )}
        {some && !table && <Legend lines={list!} hidden={hidden} toggle={toggle} unit={props.unit} total={props.total} />}
      </div>
    </section>
  )
}

function colour(line: Line, all: Line[]): string {
  return line.tone ?? palette[all.filter((l) => !l.tone).indexOf(line) % palette.length]!
}

function Legend({ lines, hidden, toggle, unit, total }: { lines: Line[]; hidden: string[]; toggle: (label: string) => void; unit?: Unit; total?: boolean }) {
  const told = (l: Line) => (total ? l.points.reduce((sum, p) => sum + (p[1] || 0), 0) : l.points.at(-1)?.[1])
  return (
    <ul class="legend">
      {lines.slice(0, 24).map((l) => (
        <li key={l.label}>
          <button type="button" aria-pressed={!hidden.includes(l.label)} onClick={() => toggle(l.label)}>
            <i class={"swatch " + colour(l, lines).slice(2)} />
            {l.label} <b>{value(told(l), unit)}</b>
          </button>
        </li>
      ))}
      {lines.length > 24 && <li class="muted">and {lines.length - 24} more</li>}
    </ul>
  )
}

// grid puts the points of all lines on one row of times, as uPlot has them.
function grid(list: Line[]): uPlot.AlignedData {
  const times = [...new Set(list.flatMap((l) => l.points.map((p) => p[0])))].sort((a, b) => a - b)
  const place = new Map(times.map((t, i) => [t, i]))
  const columns = list.map((l) => {
    const column: (number | null)[] = new Array(times.length).fill(null)
    for (const [t, v] of l.points) column[place.get(t)!] = Number.isFinite(v) ? v : null
    return column
  })
  return [times, ...columns] as uPlot.AlignedData
}

function Plot({ list, all, range, unit, marks = [], height = 180, area, bars, levels = [], title }: Props & { list: Line[]; all: Line[] }) {
  const box = useRef<HTMLDivElement>(null)
  const tip = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const dark = useStore(theme)
  const data = useMemo(() => grid(list), [list])
  const shape = list.map((l) => l.label).join("\n") + dark + unit + height + area + bars
  const latest = useRef({ range, marks, list, data, levels })
  latest.current = { range, marks, list, data, levels }
  useEffect(() => {
    const style = getComputedStyle(document.documentElement)
    const css = (name: string) => style.getPropertyValue(name).trim()
    const axis = { stroke: css("--muted"), grid: { stroke: css("--line-soft"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" }
    const u = new uPlot(
      {
        width: box.current!.clientWidth || 300,
        height,
        padding: [8, 6, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
        select: { show: true, left: 0, top: 0, width: 0, height: 0 },
        scales: { x: { time: true, range: () => [latest.current.range.start, latest.current.range.end] }, y: { range: (_u, least, most) => bounds(least, Math.max(most, ...latest.current.levels.map((l) => l.at))) } },
        axes: [
          { ...axis, size: 26, space: 70, values: (_u, splits) => splits.map((t) => tickLabel(t, latest.current.range.span)) },
          { ...axis, size: unit && unit !== "count" ? 58 : 44, space: 34, values: (_u, splits) => splits.map((v) => value(v, unit)) },
        ],
        series: [
          {},
          ...list.map((l) => {
            const c = css(colour(l, all))
            return { label: l.label, stroke: c, width: 1.5, fill: bars ? c + "88" : area ? c + "22" : undefined, paths: bars ? uPlot.paths.bars!({ size: [0.8, 40], align: 1 }) : undefined, points: { show: !bars, size: 5, fill: c, filter: alone }, spanGaps: false }
          }),
        ],
        hooks: {
          setSelect: [
            (u) => {
              if (u.select.width < 6) return
              zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"))
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            },
          ],
          setCursor: [(u) => follow(u, tip.current!, latest.current.list, latest.current.marks, unit, all)],
          draw: [(u) => drawMarks(u, latest.current.marks, css("--accent")), (u) => drawLevels(u, latest.current.levels, css("--bad"))],
        },
      },
      latest.current.data,
      box.current!,
    )
    plot.current = u
    const watch = new ResizeObserver(() => box.current && u.setSize({ width: box.current.clientWidth, height }))
    watch.observe(box.current!)
    return () => {
      watch.disconnect()
      u.destroy()
      plot.current = null
    }
  }, [shape])
  useEffect(() => plot.current?.setData(data), [data, range.start, range.end, marks.length, levels.map((l) => l.at).join()])
  return (
    <div class="plot" ref={box} role="img" aria-label={`${title}: ${list.map((l) => `${l.label} ${value(l.points.at(-1)?.[1], unit)}`).join(", ")}`}>
      <div class="tip" ref={tip} hidden />
    </div>
  )
}

// alone are the points without a neighbour, which no line shows.
const alone: uPlot.Series.Points.Filter = (u, series) => {
  const values = u.data[series]!
  const found: number[] = []
  for (let i = 0; i < values.length; i++) if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i)
  return found
}

function tickLabel(t: number, span: number): string {
  const d = new Date(t * 1000)
  if (span > 3 * 86400) return d.toLocaleDateString(undefined, { month: "short", day: "numeric" })
  return d.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: span < 600 ? "2-digit" : undefined, hour12: false })
}

// bounds are those of values: from nothing, unless some are below.
const bounds = (least: number, most: number): [number, number] => [least < 0 ? least * 1.08 : 0, most > 0 ? most * 1.08 : least < 0 ? 0 : 1]

function drawLevels(u: uPlot, levels: Level[], colour: string): void {
  const { ctx, bbox } = u
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = colour
  ctx.lineWidth = devicePixelRatio
  ctx.textAlign = "left"
  ctx.textBaseline = "bottom"
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio])
  for (const l of levels) {
    const y = Math.round(u.valToPos(l.at, "y", true))
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    ctx.fillText(l.label, bbox.left + 4 * devicePixelRatio, y - 4 * devicePixelRatio)
  }
  ctx.restore()
}

// drawMarks draws what happened at a moment, such as a deployment, as a line across.
function drawMarks(u: uPlot, marks: Mark[], colour: string): void {
  const { ctx, bbox } = u
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = colour
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio])
  for (const m of marks) {
    const x = Math.round(u.valToPos(m.at, "x", true))
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    ctx.beginPath()
    ctx.arc(x, bbox.top, 3 * devicePixelRatio, 0, 7)
    ctx.fill()
  }
  ctx.restore()
}

// follow fills the box beside the pointer.
function follow(u: uPlot, tip: HTMLElement, list: Line[], marks: Mark[], unit: Unit | undefined, all: Line[]): void {
  const { left, idx } = u.cursor
  if (left === undefined || left < 0 || idx == null) {
    tip.hidden = true
    return
  }
  const t = u.data[0][idx]
  if (t === undefined) return
  const rows = list
    .map((l, i) => ({ l, v: u.data[i + 1]?.[idx] }))
    .filter((r) => r.v != null)
    .sort((a, b) => b.v! - a.v!)
    .slice(0, 10)
  const near = marks.filter((m) => Math.abs(u.valToPos(m.at, "x") - left) < 8)
  const line = (name: string, text: string, swatch?: string) => {
    const row = document.createElement("div")
    if (swatch) row.append(Object.assign(document.createElement("i"), { className: "swatch " + swatch }))
    row.append(Object.assign(document.createElement("span"), { textContent: name }))
    row.append(Object.assign(document.createElement("b"), { textContent: text }))
    return row
  }
  tip.replaceChildren(
    line(clock(t * 1000), ""),
    ...near.map((m) => line("▾ " + m.label, "")),
    ...rows.map((r) => line(r.l.label, value(r.v!, unit), colour(r.l, all).slice(2))),
  )
  tip.hidden = false
  const x = left + u.bbox.left / devicePixelRatio
  const room = u.width - x > tip.offsetWidth + 24
  tip.style.left = `${room ? x + 12 : Math.max(0, x - tip.offsetWidth - 12)}px`
}

function Numbers({ lines, unit }: { lines: Line[]; unit?: Unit }) {
  const shown = lines.slice(0, 6)
  const data = grid(shown)
  const step = Math.ceil(data[0].length / 20)
  return (
    <div class="table-box scroll" tabIndex={0} role="region" aria-label="Numbers">
      <table class="table dense">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {shown.map((l) => (
              <th key={l.label} scope="col" class="right">
                {l.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...data[0]].map((t, i) =>
            i % step ? null : (
              <tr key={t}>
                <td>{moment(t * 1000)}</td>
                {shown.map((l, c) => (
                  <td key={l.label} class="right" data-title={l.label}>
                    {value(data[c + 1]![i] ?? undefined, unit)}
                  </td>
                ))}
              </tr>
            ),
          )}
        </tbody>
      </table>
    </div>
  )
}
