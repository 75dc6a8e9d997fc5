import { useChoice } from "../core/route"
import { Icon } from "./icons"

// Search filters what a screen lists; what is typed stands in the URL. "/" leads to it.
export function Search({ name = "q", label }: { name?: string; label: string }) {
  const [text, setText] = useChoice(name)
  return (
    <label class="search">
      <Icon name="search" size={14} />
      <span class="sr">{label}</span>
      <input data-search type="search" placeholder={label} value={text} onInput={(e) => setText(e.currentTarget.value, true)} />
      <kbd aria-hidden="true">/</kbd>
    </label>
  )
}
