package policy

import (
	"fmt"
	"strings"
)

// quantifier says which of a key's values a condition speaks of.
type quantifier uint8

const (
	plain  quantifier = iota
	forAny            // ForAnyValue: at least one
	forAll            // ForAllValues: every one, and it holds of none
)

// condition is one key of one operator of a Condition block.
type condition struct {
	written    string // the operator as written
	key        string // as written
	lower      string // the key in lower case
	operator   operator
	quantifier quantifier
	ifExists   bool
	values     []value
}

// parseOperator reads the likes of ForAnyValue:StringLikeIfExists.
func parseOperator(text string) (c condition, err error) {
	c.written = text
	name := strings.ToLower(text)
	if set, rest, ok := strings.Cut(name, ":"); ok {
		switch set {
		case "foranyvalue":
			c.quantifier = forAny
		case "forallvalues":
			c.quantifier = forAll
		default:
			return c, fmt.Errorf("%q is no condition operator: before a colon stands ForAnyValue or ForAllValues", text)
		}
		name = rest
	}
	name, c.ifExists = strings.CutSuffix(name, "ifexists")
	o, ok := operators[name]
	if !ok {
		return c, fmt.Errorf("%q is no condition operator", text)
	}
	if o.compare == asNull && (c.ifExists || c.quantifier != plain) {
		return c, fmt.Errorf("%q is no condition operator: Null stands alone", text)
	}
	c.operator = o
	return c, nil
}

// holds tells whether the condition is met. Of several values in the condition one
// is enough; a negated operator wants none of them. A key that the request lacks
// fails a positive operator and meets a negated one.
func (c *condition) holds(keys Keys) bool {
	got := keys.Values(c.lower)
	if c.operator.compare == asNull {
		for i := range c.values {
			if c.values[i].truth == (len(got) == 0) {
				return true
			}
		}
		return false
	}
	negated := c.operator.negated
	switch c.quantifier {
	case forAll:
		for _, v := range got {
			if c.operator.any(c.values, v, keys) == negated {
				return false
			}
		}
		return true
	case forAny:
		for _, v := range got {
			if c.operator.any(c.values, v, keys) != negated {
				return true
			}
		}
		return len(got) == 0 && c.ifExists
	}
	if len(got) == 0 {
		return c.ifExists || negated
	}
	for _, v := range got {
		if c.operator.any(c.values, v, keys) {
			return !negated
		}
	}
	return negated
}
