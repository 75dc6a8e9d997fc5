// Monitors and incidents as the control plane tells of them.
import type { Tone } from "../../kit/panel"

export interface Result {
  id: string
  location?: string
  at: string
  state: string
  reason?: string
  status?: number
  phases: Record<string, string>
  evidence?: { address?: string; status?: string; headers?: Record<string, string>; body?: string; error?: string; certificate?: string }
}

export interface Incident {
  id: string
  monitor: string
  state: string
  cause?: string
  opened: string
  acknowledged?: string
  acknowledgedBy?: string
  resolved?: string
  reopened?: number
  evidence?: Result[]
  timeline: { at: string; event: string; location?: string; text: string }[]
}

export interface Day {
  day: string
  up?: number
  slow?: number
  down?: number
  maintenance?: number
  incidents?: number
}

export interface Monitor {
  name: string
  stack?: string
  title?: string
  owner?: string
  runbook?: string
  interval?: string
  url: string
  method?: string
  public?: boolean
  state: string
  since?: string
  until?: string
  incident?: Incident
  uptime?: Record<string, number>
  places: { location: string; joined: boolean; cut?: boolean; usual?: string; last?: Result; failing?: number }[]
  days?: Day[]
}

export interface Location {
  name: string
  title?: string
  joined: boolean
  cut?: boolean
  since?: string
  address?: string
}

export interface Window {
  id: string
  monitors?: string[]
  start?: string
  weekly?: string
  timezone?: string
  length: string
  reason?: string
  by?: string
}

export const tones: Record<string, Tone> = { up: "good", slow: "warn", down: "bad", maintenance: "info" }
const order = ["down", "slow", "maintenance", "unknown", "up", "paused"]
export const rank = (state: string) => order.indexOf(state)
