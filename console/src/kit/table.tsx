// Tables. On a phone each row becomes a card: the first column is its title, the others
// stand below it with their headings, so that nothing scrolls sideways.
import type { ComponentChildren } from "preact"
import { useMemo, useState } from "preact/hooks"
import { useChoice } from "../core/route"
import { Icon } from "./icons"

export interface Column<Row> {
  name: string // in the URL, when the table is sorted by it
  title: string
  cell: (row: Row) => ComponentChildren
  sort?: (row: Row) => string | number // what it is sorted by
  right?: boolean // numbers
  quiet?: boolean // left out on a phone
  grow?: boolean
}

interface Props<Row> {
  label: string // what the rows are, for who cannot see the page
  rows: Row[]
  columns: Column<Row>[]
  id: (row: Row) => string
  link?: (row: Row) => string // where a click on a row leads
  open?: (row: Row) => void // or what it does
  order?: string // "name" or "-name": how it is sorted at first
  page?: number // rows shown until more are asked for
  empty?: ComponentChildren
  choice?: string // name of the order in the URL, when a screen has several tables
}

export function Table<Row>({ label, rows, columns, id, link, open, order: first = "", page = 50, empty, choice = "sort" }: Props<Row>) {
  const [order, setOrder] = useChoice(choice, first)
  const [shown, setShown] = useState(page)
  const by = columns.find((c) => c.name === order.replace(/^-/, ""))?.sort
  const sorted = useMemo(() => {
    if (!by) return rows
    const sign = order.startsWith("-") ? -1 : 1
    return [...rows].sort((a, b) => {
      const x = by(a)
      const y = by(b)
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true }))
    })
  }, [rows, order])
  if (rows.length === 0) return <>{empty ?? <p class="muted pad">Nothing here.</p>}</>
  const activate = (row: Row) => {
    if (link) location.hash = link(row)
    else open?.(row)
  }
  return (
    <div class="table-box">
      <table class="table" aria-label={label}>
        <thead>
          <tr>
            {columns.map((c) => {
              const sorting = order.replace(/^-/, "") === c.name
              return (
                <th key={c.name} scope="col" class={cls(c)} aria-sort={sorting ? (order.startsWith("-") ? "descending" : "ascending") : undefined}>
                  {c.sort ? (
                    <button type="button" class="sorter" onClick={() => setOrder(sorting && order.startsWith("-") === !!c.right ? (c.right ? c.name : "-" + c.name) : c.right ? "-" + c.name : c.name)}>
                      {c.title}
                      {sorting && <span aria-hidden="true">{order.startsWith("-") ? " ↓" : " ↑"}</span>}
                    </button>
                  ) : (
                    c.title
                  )}
                </th>
              )
            })}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, shown).map((row) => (
            <tr
              key={id(row)}
              class={link || open ? "clickable" : undefined}
              onClick={link || open ? (e) => !(e.target as Element).closest("a,button,input,select,label") && !getSelection()?.toString() && activate(row) : undefined}
            >
              {columns.map((c, i) => (
                <td key={c.name} class={cls(c)} data-title={i ? c.title : undefined}>
                  {i === 0 && link ? (
                    <a href={link(row)}>{c.cell(row)}</a>
                  ) : i === 0 && open ? (
                    <button type="button" class="plain" onClick={() => open(row)}>
                      {c.cell(row)}
                    </button>
                  ) : (
                    c.cell(row)
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > shown && (
        <button type="button" class="more" onClick={() => setShown(shown + page * 2)}>
          <Icon name="down" size={14} /> {sorted.length - shown} more
        </button>
      )}
    </div>
  )
}

const cls = <Row,>(c: Column<Row>) => [c.right && "right", c.quiet && "quiet", c.grow && "grow"].filter(Boolean).join(" ") || undefined
