package waf_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// author writes benign texts out of words and sentences of ours; what it has written
// is the same in every run.
type author struct{ *rand.Rand }

func newAuthor(seed uint64) author { return author{rand.New(rand.NewPCG(seed, 7))} }

func (a author) one(of ...string) string { return of[a.IntN(len(of))] }

// lists are the words that the slots of sentences are filled with, such as {thing}.
var lists = map[string][]string{
	"thing":  {"report", "photo", "screenshot", "plan", "invoice", "draft", "table", "column", "group", "order", "union", "view", "index", "schema", "script", "comment", "meeting", "release", "ticket", "backup", "password", "email", "garden", "kitchen", "bicycle", "train"},
	"things": {"reports", "photos", "screenshots", "plans", "invoices", "drafts", "tables", "columns", "groups", "orders", "unions", "values", "users", "scripts", "comments", "meetings", "tickets", "backups", "passwords", "keys", "cats", "sandwiches"},
	"verb":   {"select", "update", "delete", "drop", "insert", "create", "merge", "replace", "execute", "review", "send", "call", "grant", "check", "alter", "truncate", "declare", "move", "paint", "rename"},
	"person": {"Anna", "O'Brien", "D'Angelo", "Mr. O'Neill", "Zoë", "Lars", "Priya", "the team", "Jean-Luc", "L'Hôpital", "my sister", "Dr. Nguyen", "Siobhán", "the union", "customers", "Ruth & Tom"},
	"adj":    {"new", "old", "blue", "broken", "final", "first-class", "so-called", "half-finished", "quiet", "open", "top 10", "24/7", "like-minded", "long-term", "well-known"},
	"time":   {"on Monday", "at 10:30", "by 5 p.m.", "in 2-3 days", "after lunch", "between 9 and 17", "in Q3/2026", "tomorrow", "on 12.03.2026", "within 24h", "before 1 May"},
	"num":    {"2", "3", "5", "10", "17", "100", "1,000", "3.5", "50%", "1/2"},
	"place":  {"the office", "room 4B", "Kraków", "the café", "St. John's", "München", "New York", "the river", "platform 9", "the market"},
	"clause": {"because it's late", "which isn't like her", "and that's fine", "or so they say", "if you don't mind", "where nobody looks", "when the order is in", "as we've said", "having slept on it", "since there is a limit"},
	"mood":   {"really", "almost", "not", "never", "probably", "still", "just", "hardly", "always"},
}

var sentences = []string{
	"Please {verb} the {adj} {thing} {time}.",
	"I can't find the {thing} that {person} left at {place}; could you {verb} it?",
	"{person} said \"{verb} the {thing}, or call me {time}\" - and then left.",
	"We need {num} or {num} {things} from {place}, {clause}.",
	"It's {person}'s {thing}, isn't it?",
	"Don't {verb} anything; {verb} the {thing} only {time}!",
	"The {things} are 'almost' {adj} -- {clause}.",
	"{person} and {person} {mood} agree: the {adj} {thing} is worth {num} of the others.",
	"Select a {thing} from the list, then {verb} the {things} where needed.",
	"The union of {person} will select {num} {things} from all members {time}.",
	"Is {num} > {num}? No: {num} < {num}, and {num} + {num} = {num}.",
	"Drop the {thing} at {place}; update {person} and insert {num} coins.",
	"My notes (see page {num}) say: {clause}, {clause}.",
	"'{adj}' or '{adj}'? I'd say '{adj}' -- {person}",
	"Order by {time} & get {num} {things} for free*!",
	"You're {mood} going to like this {thing}, {clause}...",
	"{person}: \"I {mood} {verb} {things}\"; {person}: \"me too\".",
	"Where is the {thing}? In {place}, like {time}.",
	"She wrote: 'we {verb} and {verb}, having no {thing}'.",
	"1) {verb} the {thing}; 2) {verb} {num} {things}; 3) {mood} {verb} {person}'s {thing}.",
	"Between {num} and {num} people came {time} - not in groups, but one by one.",
	"There's a {adj} {thing} (or two) in {place}; it's {mood} for {person}.",
	"The case is: when it rains, then we {verb} {things}; else we end {time}.",
	"He'd {verb} the '{adj}' {thing}, and she'd {verb} the \"{adj}\" one.",
	"Rate is 0.{num}/min (EU) and 0.{num}/min (US), {clause}.",
	"Their score: {num}-{num}; ours: {num}--{num}. #winning",
	"Thanks for the {thing}!!! :-) ;-) <3",
	"Cost: $ {num} per {thing}, i.e. {num}% less than {time}; cf. {place} @ {num}.",
	"If ({mood}) {person} likes {things}, then {num} * {num} = {num}; that's {adj}.",
	"Grant {person} the {thing} and all {things} on the {adj} {thing} to {place}.",
	"Count the {things} (all of them) and declare the {adj} ones {time}.",
	"We'll meet at {place} & {place}; bring {num} {things} || call.",
	"Hello {person},\n\nthe {thing} wasn't there {time}. I've asked {person} -- no luck.\n\nBest,\n{person}",
}

// foreign are sentences of other languages, with apostrophes and quotes as they have
// them.
var foreign = []string{
	"L'{thing} d'aujourd'hui n'est pas prêt ; s'il vous plaît, attendez jusqu'à {num} h.",
	"C'est l'été à {place} : « on y va ou on n'y va pas ? » dit {person}.",
	"J'ai vu {num} {things} et j'en veux {num} de plus, c'est tout.",
	"Ich hab' das {thing} g'rade \u201everlegt\u201c – gibt's {time} noch eins oder {num}?",
	"Und oder nicht oder: {person} wählt {num} von {num} {things}, weil's so ist.",
	"Grüße aus {place}; bitte {num} Stück bis {time} (oder früher) an {person}.",
	"¿Dónde está el {thing}? ¡Aquí! O mejor: \"en {place}\", entre {num} y {num}.",
	"Dall'altra parte c'è un'idea: l'{thing} dell'anno, o quasi, per {person}.",
	"Nell'{thing} non c'è niente d'altro; dev'essere {num} o {num}.",
	"Zażółć gęślą jaźń, powiedział {person}; a potem – {num} razy – cisza w {place}.",
	"O {thing} d'água está n'{place}; é {num} ou {num}?",
	"'t Is zo'n {thing} van {person}, 's avonds om {num}.",
	"Это {thing} из {place}; «да» или «нет», {num} раз.",
	"これは{thing}です。{num}個(または{num}個)を{place}で選択してください。",
	"这是{person}的{thing},{num}或{num};在{place}。",
	"이것은 {place}의 {thing}입니다; {num} 또는 {num}.",
	"Αυτό είναι το {thing} στο {place}· {num} ή {num};",
	"Det är {person}s {thing}, eller hur? {num} el. {num} – vi ses kl. {num}.",
	"M'hamed n'a qu'{num} {things}; qu'est-ce qu'il y a ? L'un ou l'autre.",
	"Bu {thing} {person}'ın, {place}'da {num} ya da {num}.",
}

var slots = regexp.MustCompile(`\{\w+\}`)

// fill fills the slots of a sentence.
func (a author) fill(sentence string) string {
	return slots.ReplaceAllStringFunc(sentence, func(slot string) string {
		if words := lists[slot[1:len(slot)-1]]; words != nil {
			return a.one(words...)
		}
		return slot // braces of code
	})
}

// paragraph is some sentences.
func (a author) paragraph(of []string, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = a.fill(a.one(of...))
	}
	return strings.Join(out, " ")
}

func (a author) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n\n%s\n\n", a.fill("{adj} {thing} -- {person}"), a.paragraph(sentences, 2))
	for range 2 + a.IntN(3) {
		fmt.Fprintf(&out, "- **%s**: %s\n", a.fill("{verb}"), a.fill(a.one(sentences...)))
	}
	fmt.Fprintf(&out, "\n> %s\n\n", a.fill(a.one(sentences...)))
	fmt.Fprintf(&out, "See [the %s](https://docs.example.com/a?b=%d&c=x#part-%d \"%s\") or <https://example.com/%d>.\n\n", a.fill("{thing}"), a.IntN(99), a.IntN(9), a.fill("{adj} {thing}"), a.IntN(999))
	fmt.Fprintf(&out, "| %s | %s |\n|---|:--|\n| `%s` | %d |\n\n", a.fill("{thing}"), a.fill("{thing}"), a.fill("{verb}")+"_"+a.fill("{thing}")+"()", a.IntN(1000))
	fmt.Fprintf(&out, "![%s](img/%d.png)\n\n---\n\n1. ~~%s~~\n2. _%s_ [^1]\n\n[^1]: %s\n", a.fill("{thing}"), a.IntN(99), a.fill("{verb}"), a.fill("{adj}"), a.fill(a.one(sentences...)))
	return out.String()
}

// searches are what people type into search boxes.
var searches = []string{
	"{adj} {thing}", "{person} {thing} {time}", "how to {verb} a {thing}", "\"{adj} {thing}\" -{thing}", "{thing} or {thing}", "{thing} AND {thing} NOT {thing}",
	"union jack {thing}", "select {things} from {place}", "drop table lamp {adj}", "{num} or {num} {things}", "where to order {things}", "{thing} 50% off & more",
	"C++ vs C# {thing}", "rock 'n' roll {things}", "{person}'s {thing}", "what's the {adj} {thing}?", "{num}-{num} {things}", "{thing} (used)", "{thing};{thing}",
	"is {num} > {num}", "cats like {things}", "order by phone", "group by {thing} in sheets", "{thing}:{adj} type:{thing}", "5' {thing}", "6\" {thing}", "3/4\" {thing}", "{thing} #{num}",
	"delete account", "update my {thing} where is it", "insert coin and select {thing}", "having {things} and being {adj}", "limit {num}", "{thing}--{thing}", "@{thing} {adj}",
}
