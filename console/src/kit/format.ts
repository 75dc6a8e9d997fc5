// How numbers and times read.
export type Unit = "count" | "rate" | "seconds" | "bytes" | "ratio"

const trim = (n: number, digits: number) => String(Number(n.toFixed(digits)))

export function count(n: number): string {
  const a = Math.abs(n)
  if (a >= 1e9) return trim(n / 1e9, 1) + "B"
  if (a >= 1e6) return trim(n / 1e6, 1) + "M"
  if (a >= 1e4) return trim(n / 1e3, 1) + "k"
  if (a >= 100 || Number.isInteger(n)) return Math.round(n).toLocaleString()
  return trim(n, a >= 1 ? 1 : 2)
}

export function duration(s: number): string {
  const a = Math.abs(s)
  if (a === 0) return "0"
  if (a < 0.001) return trim(s * 1e6, 0) + " µs"
  if (a < 0.1) return trim(s * 1e3, 1) + " ms"
  if (a < 1) return trim(s * 1e3, 0) + " ms"
  if (a < 120) return trim(s, a < 10 ? 2 : 1) + " s"
  if (a < 7200) return trim(s / 60, 0) + " min"
  if (a < 172800) return trim(s / 3600, 1) + " h"
  return trim(s / 86400, 1) + " d"
}

export function bytes(n: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"]
  let i = 0
  while (Math.abs(n) >= 1024 && i < units.length - 1) {
    n /= 1024
    i++
  }
  return `${trim(n, n < 10 && i > 0 ? 1 : 0)} ${units[i]}`
}

export const ratio = (n: number) => trim(n * 100, Math.abs(n) < 0.1 && n !== 0 ? 2 : 1) + " %"

export function value(n: number | undefined, unit: Unit = "count"): string {
  if (n === undefined || !Number.isFinite(n)) return "–"
  switch (unit) {
    case "seconds":
      return duration(n)
    case "bytes":
      return bytes(n)
    case "ratio":
      return ratio(n)
    case "rate":
      return count(n) + "/s"
    default:
      return count(n)
  }
}

// moment is a time in full, as titles have it.
export const moment = (at: Date | number | string) =>
  new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })

export const clock = (at: Date | number) => new Date(at).toLocaleTimeString(undefined, { hour12: false })

// exact is the time of day with milliseconds.
export const exact = (at: number) => clock(at) + "." + String(Math.floor(at) % 1000).padStart(3, "0")

// ago is how long something is past, or ahead.
export function ago(at: Date | number | string, now = Date.now()): string {
  const s = (now - new Date(at).getTime()) / 1000
  const a = Math.abs(s)
  const text = a < 5 ? "now" : a < 90 ? `${Math.round(a)} s` : a < 5400 ? `${Math.round(a / 60)} min` : a < 129600 ? `${Math.round(a / 3600)} h` : `${Math.round(a / 86400)} d`
  if (text === "now") return "just now"
  return s < 0 ? `in ${text}` : `${text} ago`
}

// plural is "1 error", "2 errors".
export const plural = (n: number, one: string, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`
