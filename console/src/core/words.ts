// Expressions of time in words, as far as words are shorter than the expression.

const names: Record<string, string> = { SUN: "Sundays", MON: "Mondays", TUE: "Tuesdays", WED: "Wednesdays", THU: "Thursdays", FRI: "Fridays", SAT: "Saturdays" }
const numbers = ["", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
const day = (text: string) => names[numbers[Number(text)] ?? text.toUpperCase()]
const two = (text: string) => text.padStart(2, "0")

// words is "every 5 minutes", "at 09:00 on Mondays to Fridays"; undefined for what is
// better read as it stands.
export function words(expression: string): string | undefined {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression)
  if (rate) return rate[1] === "1" ? `every ${rate[2]}` : `every ${rate[1]} ${rate[2]}s`
  const once = /^at\((.+)\)$/.exec(expression)
  if (once) return `once, at ${once[1]!.replace("T", " ")}`
  const cron = /^cron\((.+)\)$/.exec(expression)?.[1]?.split(/\s+/)
  if (cron?.length !== 6) return undefined
  const [minute, hour, date, month, week, year] = cron as [string, string, string, string, string, string]
  const time = clock(minute, hour)
  const on = days(date, week)
  if (!time || on === undefined || month !== "*" || year !== "*") return undefined
  return time + on
}

function clock(minute: string, hour: string): string | undefined {
  const every = /^(?:\*|0)\/(\d+)$/.exec(minute)
  if (hour === "*") {
    if (minute === "*") return "every minute"
    if (every) return `every ${every[1]} minutes`
    return /^\d+$/.test(minute) ? `at minute ${minute} of every hour` : undefined
  }
  const hours = /^(?:\*|0)\/(\d+)$/.exec(hour)
  if (!/^\d+$/.test(minute)) return undefined
  if (hours) return `every ${hours[1]} hours, at minute ${minute}`
  return /^\d+(,\d+)*$/.test(hour)
    ? "at " +
        hour
          .split(",")
          .map((h) => `${two(h)}:${two(minute)}`)
          .join(" and ")
    : undefined
}

function days(date: string, week: string): string | undefined {
  const any = (text: string) => text === "*" || text === "?"
  if (any(date) && any(week)) return ""
  if (any(week)) return date === "L" ? " on the last day of the month" : /^\d+$/.test(date) ? ` on day ${date} of the month` : undefined
  if (!any(date)) return undefined
  const [from, until] = week.split("-")
  if (until !== undefined) return day(from!) && day(until) ? ` on ${day(from!)} to ${day(until)}` : undefined
  const list = week.split(",").map(day)
  return list.every(Boolean) ? ` on ${list.join(", ")}` : undefined
}

// last is the name in an ARN; that of a function with its version or alias, if it has
// one. A name is its own.
export const last = (arn: string) => (arn.startsWith("arn:") ? arn.replace(/^(?:[^:]*:){5}(?:function:)?/, "") : arn)

// functionOf is the name of a function without its version or alias.
export const functionOf = (arn: string) => last(arn).split(":")[0]!
