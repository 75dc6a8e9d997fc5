// What alerts and rules are, as the platform tells of them.
import type { Tone } from "../../kit/panel"

export interface ActiveAlert {
  labels: Record<string, string>
  annotations: Record<string, string>
  state: string
  since: string
  starts?: string
  value: number
  rule: string
}

export const severities: Record<string, Tone> = { critical: "bad", warning: "warn", info: "info" }

export interface Rule {
  name: string
  record?: boolean
  group?: string
  expr?: string
  query?: string
  for?: number // nanoseconds
  labels?: Record<string, string>
  annotations?: Record<string, string>
  source?: string
  state: string
  error?: string
  evaluated?: string
  tookMs: number
  alerts: number
}
