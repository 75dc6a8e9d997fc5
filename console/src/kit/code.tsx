import { useState } from "preact/hooks"
import { Copy } from "./copy"

// Code is a text to read: a record, a payload, a configuration.
export function Code({ text, label = "Text" }: { text: string; label?: string }) {
  return (
    <div class="code">
      <Copy text={text} />
      <pre tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
    </div>
  )
}

// pretty is JSON with a line for each member; what is no JSON stays as it is.
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

// JSONEditor is a text field that says whether what is in it is JSON.
export function JSONEditor({ label, value, change, rows = 10 }: { label: string; value: string; change: (text: string) => void; rows?: number }) {
  const [touched, setTouched] = useState(false)
  let wrong = ""
  try {
    JSON.parse(value)
  } catch (e) {
    wrong = (e as Error).message
  }
  return (
    <label class="field">
      <span>{label}</span>
      <textarea
        class="mono"
        rows={rows}
        spellcheck={false}
        value={value}
        aria-invalid={touched && !!wrong}
        onInput={(e) => change(e.currentTarget.value)}
        onBlur={() => {
          setTouched(true)
          if (!wrong) change(pretty(value))
        }}
      />
      {touched && wrong && <span class="hint bad">{wrong}</span>}
    </label>
  )
}
