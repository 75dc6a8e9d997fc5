import type { ComponentChildren } from "preact"
import type { Tone } from "./panel"
import { Spark } from "./spark"

// Stat is one number with what it was lately.
export function Stat(props: { title: string; value: ComponentChildren; note?: ComponentChildren; tone?: Tone; points?: [number, number][]; range?: { start: number; end: number }; link?: string }) {
  const inner = (
    <>
      <span class="stat-title">{props.title}</span>
      <span class={"stat-value " + (props.tone ?? "")}>{props.value}</span>
      <span class="stat-note">{props.note ?? " "}</span>
      {props.points && <Spark points={props.points} range={props.range} width={240} height={36} tone={props.tone} />}
    </>
  )
  return props.link ? (
    <a class="stat" href={props.link}>
      {inner}
    </a>
  ) : (
    <div class="stat">{inner}</div>
  )
}
