package query

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// function is what a name stands for in an expression.
type function struct {
	least, most int // arguments; most 0: least, -1: any number
	period      int // the place of the argument that is a period, from 1
	star        bool
	fixed       int // the place of the argument that must be a number, from 1
	do          func(args []Value) Value
	aggregate   func(arg node, e *Call) aggregator
}

// check tells what is wrong with the arguments of a call.
func (f function) check(e *Call) error {
	most := f.most
	if most == 0 {
		most = f.least
	}
	switch n := len(e.Args); {
	case n < f.least && most == f.least, n > most && most == f.least:
		return fmt.Errorf("expected %d arguments, got %d", f.least, n)
	case n < f.least:
		return fmt.Errorf("expected at least %d arguments, got %d", f.least, n)
	case n > most && most > 0:
		return fmt.Errorf("expected at most %d arguments, got %d", most, n)
	}
	if f.fixed > 0 {
		l, ok := e.Args[f.fixed-1].(*Literal)
		if !ok || l.Value.kind != Number || l.Value.n < 0 || l.Value.n > 100 {
			return errors.New("expected a percentage from 0 to 100")
		}
	}
	return nil
}

// functions are those there are, by their names in lower case.
var functions map[string]function

func init() {
	functions = map[string]function{
		"abs":   number(math.Abs),
		"ceil":  number(math.Ceil),
		"floor": number(math.Floor),
		"log":   number(math.Log),
		"sqrt":  number(math.Sqrt),

		"greatest": {least: 1, most: -1, do: func(args []Value) Value { return extreme(args, 1) }},
		"least":    {least: 1, most: -1, do: func(args []Value) Value { return extreme(args, -1) }},

		"ispresent": {least: 1, do: func(args []Value) Value { return truth(args[0].kind != Null) }},
		"isempty":   {least: 1, do: func(args []Value) Value { return truth(args[0].String() == "") }},
		"isblank":   {least: 1, do: func(args []Value) Value { return truth(strings.TrimSpace(args[0].String()) == "") }},
		"coalesce":  {least: 1, most: -1, do: coalesce},

		"concat":      {least: 1, most: -1, do: concat},
		"trim":        trimmed(strings.TrimSpace, strings.Trim),
		"ltrim":       trimmed(func(s string) string { return strings.TrimLeft(s, spaces) }, strings.TrimLeft),
		"rtrim":       trimmed(func(s string) string { return strings.TrimRight(s, spaces) }, strings.TrimRight),
		"strlen":      {least: 1, do: textual(func(s string, _ []Value) Value { return NumberValue(float64(utf8.RuneCountInString(s))) })},
		"toupper":     {least: 1, do: textual(func(s string, _ []Value) Value { return TextValue(strings.ToUpper(s)) })},
		"tolower":     {least: 1, do: textual(func(s string, _ []Value) Value { return TextValue(strings.ToLower(s)) })},
		"substr":      {least: 2, most: 3, do: textual(substr)},
		"replace":     {least: 3, do: textual(replace)},
		"strcontains": {least: 2, do: textual(func(s string, args []Value) Value { return truth(strings.Contains(s, args[1].String())) })},

		"isvalidip":      {least: 1, do: address(func(netip.Addr) bool { return true })},
		"isvalidipv4":    {least: 1, do: address(netip.Addr.Is4)},
		"isvalidipv6":    {least: 1, do: address(netip.Addr.Is6)},
		"isipinsubnet":   {least: 2, do: subnet(func(netip.Addr) bool { return true })},
		"isipv4insubnet": {least: 2, do: subnet(netip.Addr.Is4)},
		"isipv6insubnet": {least: 2, do: subnet(netip.Addr.Is6)},

		"frommillis": {least: 1, do: fromMillis},
		"tomillis":   {least: 1, do: toMillis},
		"now":        {least: 0},            // the plan knows when
		"bin":        {least: 1, period: 1}, // the plan does these,
		"datefloor":  {least: 2, period: 2}, // whose period
		"dateceil":   {least: 2, period: 2}, // is no value
	}
	functions["upper"], functions["lower"] = functions["toupper"], functions["tolower"]
	for name, f := range statistics {
		functions[name] = f
	}
}

// functionList names the functions that there are for an error.
func functionList(stats bool) string {
	var names []string
	for name, f := range functions {
		if stats || f.aggregate == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

const spaces = " \t\r\n\v\f"

// number is a function of a number. Of what is none it is null.
func number(do func(float64) float64) function {
	return function{least: 1, do: func(args []Value) Value {
		if !args[0].numeric {
			return Value{}
		}
		return NumberValue(do(args[0].n))
	}}
}

// extreme is the greatest or the least of the values, without those missing.
func extreme(args []Value, sign int) (v Value) {
	for _, a := range args {
		if v.kind == Null || a.kind != Null && sortOrder(a, v)*sign > 0 {
			v = a
		}
	}
	return v
}

func coalesce(args []Value) Value {
	for _, a := range args {
		if a.kind != Null {
			return a
		}
	}
	return Value{}
}

func concat(args []Value) Value {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(a.String())
	}
	return TextValue(b.String())
}

// textual is a function of a text. Of what is missing it is null.
func textual(do func(s string, args []Value) Value) func([]Value) Value {
	return func(args []Value) Value {
		if args[0].kind == Null {
			return Value{}
		}
		return do(args[0].String(), args)
	}
}

func trimmed(space func(string) string, letters func(s, cutset string) string) function {
	return function{least: 1, most: 2, do: textual(func(s string, args []Value) Value {
		if len(args) == 1 {
			return TextValue(space(s))
		}
		return TextValue(letters(s, args[1].String()))
	})}
}

// substr counts letters, from 0.
func substr(s string, args []Value) Value {
	letters := []rune(s)
	within := func(n float64) int { return int(min(max(n, 0), float64(len(letters)))) }
	start, end := within(args[1].n), len(letters)
	if len(args) == 3 {
		end = min(start+within(args[2].n), end)
	}
	return TextValue(string(letters[start:end]))
}

func replace(s string, args []Value) Value {
	old := args[1].String()
	if old == "" {
		return TextValue(s)
	}
	return TextValue(strings.ReplaceAll(s, old, args[2].String()))
}

func address(is func(netip.Addr) bool) func([]Value) Value {
	return func(args []Value) Value {
		a, err := netip.ParseAddr(args[0].String())
		return truth(err == nil && is(a))
	}
}

func subnet(is func(netip.Addr) bool) func([]Value) Value {
	return func(args []Value) Value {
		a, err1 := netip.ParseAddr(args[0].String())
		p, err2 := netip.ParsePrefix(args[1].String())
		return truth(err1 == nil && err2 == nil && is(a) && p.Contains(a))
	}
}

func fromMillis(args []Value) Value {
	if !args[0].numeric {
		return Value{}
	}
	return millis(args[0].n)
}

func toMillis(args []Value) Value {
	if args[0].kind != Moment {
		return Value{}
	}
	return NumberValue(args[0].n)
}

// arithmetic is an operator between numbers. Without two there is no result, nor of a
// division by zero.
func arithmetic(op string, a, b Value) Value {
	if !a.numeric || !b.numeric {
		return Value{}
	}
	switch op {
	case "+":
		return NumberValue(a.n + b.n)
	case "-":
		return NumberValue(a.n - b.n)
	case "*":
		return NumberValue(a.n * b.n)
	case "/":
		return NumberValue(a.n / b.n)
	case "%":
		return NumberValue(math.Mod(a.n, b.n))
	}
	return NumberValue(math.Pow(a.n, b.n))
}
