package osls

import "strings"

// useLedger publishes to the topic of another stack, and reads what of it was
// referred to.
func useLedger(s *stack) {
	s.base.info()
	topic := s.base.outputs["EntriesArn"]
	if !strings.HasPrefix(topic, "arn:aws:sns:us-east-1:000000000000:") {
		s.Fatalf("the topic of the stack that this one refers to is %q", topic)
	}
	answer := s.ask("references")
	delete(answer, "version")
	if err := same(answer, map[string]any{"word": "references", "currency": "USD", "level": "low", "missing": "none", "entries": topic, "first": "one"}); err != nil {
		s.Error(err)
	}
	s.publish(topic, "forty-two", nil)
	s.logged("book", "entry forty-two")
	s.answers("ServiceEndpoint", request{method: "GET", path: "/book"}, 200, map[string]any{"currency": "USD", "entries": topic})
	s.base.refuses([]string{"remove"}, "ledger-base-"+s.cli.stage+"-entries")
}
