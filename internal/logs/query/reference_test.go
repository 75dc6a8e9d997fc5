package query_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// The reference evaluates a query record by record, in the plainest way, on its own
// terms: a record is a map of texts, and nothing is remembered. It knows the part of
// the language that random queries are made of.

// line is a record of the reference.
type line struct {
	at     time.Time
	fields map[string]string
}

// referenceNumber reads a number as the language has them.
var referenceNumber = regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$`)

func toNumber(s string) (float64, bool) {
	if !referenceNumber.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// ordered compares two texts, as numbers if both are.
func ordered(a, b string) int {
	x, xok := toNumber(a)
	y, yok := toNumber(b)
	if xok && yok {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// test is a random condition: how it is written, and what it means.
type test struct {
	text  string
	holds func(l line) bool
}

var (
	randomFields = []string{"code", "user", "size", "level", "user-id", "none"}
	randomWords  = []string{"error", "Time", "out", "7", "GET", "x=1", "café"}
	randomValues = []string{"200", "404", "5.5", "-3", "0", "alpha", "Beta", "alpha7", "alpha10", "", "1e3", "10.0.0.1", "-"}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// search makes a random search.
func search(r *rand.Rand, depth int) test {
	if depth > 0 && r.IntN(3) == 0 {
		a, b := search(r, depth-1), search(r, depth-1)
		switch r.IntN(3) {
		case 0:
			return test{"(" + a.text + " " + b.text + ")", func(l line) bool { return a.holds(l) && b.holds(l) }}
		case 1:
			return test{"(" + a.text + " OR " + b.text + ")", func(l line) bool { return a.holds(l) || b.holds(l) }}
		}
		return test{"NOT " + a.text, func(l line) bool { return !a.holds(l) }}
	}
	field, word, value := pick(r, randomFields), pick(r, randomWords), pick(r, randomValues[:9])
	has := func(do func(v string) bool) func(l line) bool {
		return func(l line) bool {
			v, ok := l.fields[field]
			return ok && do(v)
		}
	}
	switch r.IntN(7) {
	case 0:
		return test{`"` + word + `"`, func(l line) bool { return strings.Contains(l.fields["@message"], word) }}
	case 1:
		return test{field + ":*", has(func(string) bool { return true })}
	case 2:
		return test{field + ":" + value, has(func(v string) bool {
			x, xok := toNumber(v)
			y, yok := toNumber(value)
			if xok && yok {
				return x == y
			}
			return strings.EqualFold(v, value)
		})}
	case 3:
		op := pick(r, []string{">", "<", ">=", "<="})
		return test{field + ":" + op + value, has(func(v string) bool { return compares(op, ordered(v, value)) })}
	case 4:
		low, high := pick(r, randomValues[:5]), pick(r, randomValues[:5])
		return test{field + ":[" + low + " TO " + high + "}", has(func(v string) bool { return ordered(v, low) >= 0 && ordered(v, high) < 0 })}
	case 5:
		head := value[:1]
		return test{field + ":" + head + "*", has(func(v string) bool {
			return len(v) >= len(head) && strings.EqualFold(v[:len(head)], head)
		})}
	}
	return test{word, func(l line) bool {
		return strings.Contains(strings.ToLower(l.fields["@message"]), strings.ToLower(word))
	}}
}

func compares(op string, order int) bool {
	switch op {
	case ">":
		return order > 0
	case "<":
		return order < 0
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case "=":
		return order == 0
	}
	return order != 0
}

// condition makes a random condition of filter.
func condition(r *rand.Rand, depth int) test {
	if depth > 0 && r.IntN(3) == 0 {
		a, b := condition(r, depth-1), condition(r, depth-1)
		switch r.IntN(3) {
		case 0:
			return test{"(" + a.text + " and " + b.text + ")", func(l line) bool { return a.holds(l) && b.holds(l) }}
		case 1:
			return test{"(" + a.text + " or " + b.text + ")", func(l line) bool { return a.holds(l) || b.holds(l) }}
		}
		return test{"not (" + a.text + ")", func(l line) bool { return !a.holds(l) }}
	}
	field, value, other := pick(r, randomFields), pick(r, randomValues), pick(r, randomFields)
	switch r.IntN(5) {
	case 0:
		return test{fmt.Sprintf("%s like /^[a-c]/", field), func(l line) bool {
			v := l.fields[field]
			return v != "" && v[0] >= 'a' && v[0] <= 'c'
		}}
	case 1:
		return test{fmt.Sprintf("%s not in [%q, 404]", field, value), func(l line) bool {
			v, ok := l.fields[field]
			return !ok || ordered(v, value) != 0 && ordered(v, "404") != 0
		}}
	case 2:
		return test{fmt.Sprintf("%s + %s > 300", field, other), func(l line) bool {
			x, xok := toNumber(l.fields[field])
			y, yok := toNumber(l.fields[other])
			return xok && yok && x+y > 300
		}}
	case 3:
		return test{fmt.Sprintf("strlen(concat(%s, %s)) > 5", field, other), func(l line) bool {
			return len(l.fields[field]+l.fields[other]) > 5
		}}
	}
	op := pick(r, []string{"=", "!=", "<", "<=", ">", ">="})
	return test{fmt.Sprintf("%s %s %q", field, op, value), func(l line) bool {
		v, ok := l.fields[field]
		return ok && compares(op, ordered(v, value))
	}}
}

// randomLines makes records, and a source of them.
func randomLines(r *rand.Rand, large, real bool) ([]line, *memory) {
	var lines []line
	m := &memory{real: real}
	second := 0
	for range 1 + r.IntN(4) {
		var records []logs.Record
		n := 1 + r.IntN(60)
		if large {
			n, large = 4500, false // enough for two workers
		}
		for range n {
			second++
			var words []string
			for range r.IntN(4) {
				words = append(words, pick(r, []string{"Error", "timeout", "a7b", "get", "GET /", "x=1", "CAFÉ", "ok"}))
			}
			rec := logs.Record{Time: noon.Add(time.Duration(second*7919%3500) * time.Second).Add(time.Duration(second) * time.Millisecond), Stream: "s", Message: strings.Join(words, " ")}
			for _, name := range randomFields[:5] {
				if r.IntN(4) > 0 {
					rec.Fields = append(rec.Fields, field(name, pick(r, randomValues)))
				}
			}
			records = append(records, rec)
			lines = append(lines, line{rec.Time, valuesOf(rec)})
		}
		m.put("g", records...)
	}
	return lines, m
}

func TestRandomQueriesAreAnsweredAsTheReferenceDoes(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		lines, m := randomLines(r, seed%20 == 0, seed%2 == 1)
		a, b := search(r, 3), condition(r, 3)
		var kept []line
		for _, l := range lines {
			if a.holds(l) && b.holds(l) {
				kept = append(kept, l)
			}
		}
		slices.SortStableFunc(kept, func(a, b line) int { return b.at.Compare(a.at) })
		text := a.text + " | filter " + b.text
		var want string
		switch tail, by, of := r.IntN(4), pick(r, randomFields), pick(r, randomFields); tail {
		case 0:
			n := 1 + r.IntN(10)
			text += fmt.Sprintf(" | fields %s, @message | limit %d", by, n)
			want = referenceRows(kept[:min(n, len(kept))], by)
		case 1:
			text += fmt.Sprintf(" | stats count(*) as n, count(%s) as c, sum(%[1]s) as s, avg(%[1]s) as a, min(%[1]s) as low, max(%[1]s) as high, pct(%[1]s, 75) as p, count_distinct(%[1]s) as d by %s, bin(20m) as t | sort t, %[2]s, n", of, by)
			want = referenceStats(kept, by, of)
		case 2:
			text += fmt.Sprintf(" | top 3 %s, %s", by, of)
			want = referenceTop(kept, by, of)
		case 3:
			text += fmt.Sprintf(" | fields %s, @message | dedup %[1]s | limit 5000", by)
			want = referenceRows(referenceDedup(kept, by), by)
		}
		got := lines0(run(t, m, text))
		if got != want {
			t.Fatalf("seed %d: %s (-want +got)\n%s", seed, text, gocmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		}
	}
}

// lines0 is lines without the names of the columns.
func lines0(r query.Result) string {
	_, rows, _ := strings.Cut(lines(r), "\n")
	return rows
}

func shown(l line, name string) string {
	if v, ok := l.fields[name]; ok {
		return v
	}
	return "-"
}

func referenceRows(kept []line, by string) string {
	var b strings.Builder
	for _, l := range kept {
		b.WriteString(shown(l, by) + "|" + l.fields["@message"] + "\n")
	}
	return b.String()
}

func referenceDedup(kept []line, by string) (list []line) {
	seen := map[string]bool{}
	for _, l := range kept {
		v, ok := l.fields[by]
		if !ok || !seen[v] {
			list = append(list, l)
		}
		if ok {
			seen[v] = true
		}
	}
	return list
}

// referenceTop counts by two fields.
func referenceTop(kept []line, by, of string) string {
	type group struct {
		keys  [2]string
		has   [2]bool
		count int
	}
	groups := map[string]*group{}
	for _, l := range kept {
		g := &group{}
		for i, name := range []string{by, of} {
			g.keys[i], g.has[i] = l.fields[name], false
			_, g.has[i] = l.fields[name]
		}
		key := fmt.Sprint(g.keys, g.has)
		if groups[key] == nil {
			groups[key] = g
		}
		groups[key].count++
	}
	list := slices.SortedFunc(maps.Values(groups), func(a, b *group) int {
		if a.count != b.count {
			return b.count - a.count
		}
		for i := range a.keys {
			if c := referenceOrder(a.keys[i], a.has[i], b.keys[i], b.has[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	var b strings.Builder
	for _, g := range list[:min(3, len(list))] {
		for i, key := range g.keys {
			if !g.has[i] {
				key = "-"
			}
			b.WriteString(key + "|")
		}
		fmt.Fprintln(&b, g.count)
	}
	return b.String()
}

var runs = regexp.MustCompile(`\d+|\D`)

// referenceOrder is the order of sort: texts, numbers, nothing.
func referenceOrder(a string, hasA bool, b string, hasB bool) int {
	if !hasA || !hasB {
		return map[bool]int{true: 0, false: 1}[hasA] - map[bool]int{true: 0, false: 1}[hasB]
	}
	x, xok := toNumber(a)
	y, yok := toNumber(b)
	switch {
	case xok && yok:
		return cmp.Compare(x, y)
	case xok:
		return 1
	case yok:
		return -1
	}
	as, bs := runs.FindAllString(a, -1), runs.FindAllString(b, -1)
	for i := range min(len(as), len(bs)) {
		p, q := as[i], bs[i]
		if p[0] >= '0' && p[0] <= '9' && q[0] >= '0' && q[0] <= '9' && len(p) != len(q) {
			return len(p) - len(q)
		}
		if c := strings.Compare(p, q); c != 0 {
			return c
		}
	}
	return len(as) - len(bs)
}

// referenceStats is the statistics of a field by another and by 20 minutes.
func referenceStats(kept []line, by, of string) string {
	type group struct {
		key    string
		has    bool
		at     time.Time
		values []string
		n      int
	}
	groups := map[string]*group{}
	for _, l := range kept {
		g := &group{at: l.at.Truncate(20 * time.Minute)}
		g.key, g.has = l.fields[by], false
		_, g.has = l.fields[by]
		key := fmt.Sprint(g.key, g.has, g.at)
		if groups[key] == nil {
			groups[key] = g
		}
		g = groups[key]
		g.n++
		if v, ok := l.fields[of]; ok {
			g.values = append(g.values, v)
		}
	}
	list := slices.SortedFunc(maps.Values(groups), func(a, b *group) int {
		return cmp.Or(a.at.Compare(b.at), referenceOrder(a.key, a.has, b.key, b.has), a.n-b.n)
	})
	var b strings.Builder
	for _, g := range list {
		var numbers []float64
		different := map[string]bool{}
		sum := 0.0
		for _, v := range g.values {
			different[v] = true
			if x, ok := toNumber(v); ok {
				numbers = append(numbers, x)
				sum += x
			}
		}
		slices.Sort(numbers)
		key, s, a, low, high, p := g.key, "-", "-", "-", "-", "-"
		if !g.has {
			key = "-"
		}
		texts := slices.Clone(g.values)
		if len(numbers) > 0 {
			texts = slices.DeleteFunc(texts, func(v string) bool { _, ok := toNumber(v); return !ok })
			s, a = plain(sum), plain(sum/float64(len(numbers)))
			if len(numbers) <= 1000 { // of more, it is about that
				p = plain(numbers[max(0, int(math.Ceil(0.75*float64(len(numbers))))-1)])
			}
		}
		slices.SortStableFunc(texts, func(a, b string) int { return referenceOrder(a, true, b, true) })
		if len(texts) > 0 {
			low, high = texts[0], texts[len(texts)-1]
		}
		fmt.Fprintf(&b, "%s|%s|%d|%d|%s|%s|%s|%s|%s|%d\n", key, g.at.Format("2006-01-02 15:04:05.000"), g.n, len(g.values), s, a, low, high, p, len(different))
	}
	return b.String()
}

// plain writes a number with ten digits.
func plain(f float64) string {
	s := strconv.FormatFloat(f, 'g', 10, 64)
	rounded, _ := strconv.ParseFloat(s, 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
