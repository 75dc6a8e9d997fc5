package event

import (
	"context"
	"encoding/json"

	"github.com/dropstack/dropstack/internal/pattern"
)

// TestEventPatternInput is a pattern and an event.
type TestEventPatternInput struct {
	EventPattern string
	Event        string `audit:"hidden"`
}

// TestEventPatternOutput says whether the pattern chooses the event.
type TestEventPatternOutput struct{ Result bool }

// TestEventPattern matches an event that nobody has put. As on a bus, it has all that
// an event has.
func (r *Rules) TestEventPattern(_ context.Context, in TestEventPatternInput) (TestEventPatternOutput, error) {
	p, err := pattern.Parse(in.EventPattern)
	if err != nil {
		return TestEventPatternOutput{}, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(in.Event), &members); err != nil {
		return TestEventPatternOutput{}, invalid("Parameter Event is not valid. Reason: it is not a JSON object: %v", err)
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if members[name] == nil {
			return TestEventPatternOutput{}, invalid("Parameter Event is not valid. Reason: it has no %q", name)
		}
	}
	return TestEventPatternOutput{p.Match([]byte(in.Event))}, nil
}
