// Light or dark: as the machine says, or as the reader has chosen.
import { Store } from "../core/store"

const place = "dropstack.theme"
export type Choice = "auto" | "light" | "dark"
const machine = matchMedia("(prefers-color-scheme: dark)")

export const choice = new Store<Choice>((localStorage.getItem(place) as Choice | null) ?? "auto")
export const theme = new Store<"light" | "dark">("light")

function apply(): void {
  const c = choice.get()
  const now = c === "auto" ? (machine.matches ? "dark" : "light") : c
  document.documentElement.dataset.theme = now
  theme.set(now)
}

choice.watch(() => {
  localStorage.setItem(place, choice.get())
  apply()
})
machine.addEventListener("change", apply)
apply()

export const next: Record<Choice, Choice> = { auto: "light", light: "dark", dark: "auto" }
