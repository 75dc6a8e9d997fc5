package bus

import (
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/pattern"
)

// Limits of rules.
const (
	MaxTargets     = 5
	maxDescription = 512
)

var (
	busName  = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)
	ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)
	targetID = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)
)

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

// CheckName says what is wrong with the name of a bus, fault.Invalid.
func CheckName(name string) error {
	if !busName.MatchString(name) || name == Default || strings.HasPrefix(name, "aws.") || strings.Contains(name, "/") {
		return invalid("the name %q of an event bus: 1 to 256 letters, digits and .-_, neither %q nor with aws. first; / is for partners' buses", name, Default)
	}
	return nil
}

// Admit says what is wrong with buses and rules, fault.Invalid.
func (b *Buses) Admit(buses []Bus, rules []Rule) error {
	for _, bus := range buses {
		if err := CheckName(bus.Name); err != nil {
			return err
		}
		if len(bus.Description) > maxDescription {
			return invalid("event bus %s: Description has %d bytes, at most %d", bus.Name, len(bus.Description), maxDescription)
		}
	}
	for i := range rules {
		if err := b.admit(&rules[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *Buses) admit(r *Rule) error {
	switch {
	case !ruleName.MatchString(r.Name):
		return invalid("the name %q of a rule: 1 to 64 letters, digits and .-_", r.Name)
	case len(r.Description) > maxDescription:
		return invalid("rule %s: Description has %d bytes, at most %d", r.Name, len(r.Description), maxDescription)
	case len(r.Targets) > MaxTargets:
		return fault.Coded(fault.Invalid, "LimitExceededException", "The requested resource exceeds the maximum number allowed: rule %s has %d targets, at most %d", r.Name, len(r.Targets), MaxTargets)
	}
	if _, err := pattern.Parse(r.Pattern); err != nil {
		return fault.Coded(fault.Invalid, fault.CodeOf(err), "rule %s: %w", r.Name, err)
	}
	known := map[string]bool{}
	for i := range r.Targets {
		t := &r.Targets[i]
		if known[t.ID] {
			return invalid("rule %s: target %q is there twice", r.Name, t.ID)
		}
		known[t.ID] = true
		if err := b.AdmitTarget(*t); err != nil {
			return invalid("rule %s: target %s: %w", r.Name, t.ID, err)
		}
	}
	return nil
}

// AdmitTarget says what is wrong with a target, fault.Invalid.
func (b *Buses) AdmitTarget(t Target) error {
	to, err := parseTarget(t.ARN)
	switch {
	case !targetID.MatchString(t.ID):
		return invalid("an id has 1 to 64 letters, digits and .-_")
	case err != nil:
		return err
	case to.kind == queueTarget && b.Send == nil:
		return invalid("%s: queues are not offered here; send to a function or a topic", t.ARN)
	case t.Group != "" && !strings.HasSuffix(t.ARN, ".fifo"):
		return invalid("MessageGroupId is for FIFO queues, whose names end in .fifo")
	case t.Group == "" && to.kind == queueTarget && strings.HasSuffix(t.ARN, ".fifo"):
		return invalid("a FIFO queue needs a MessageGroupId (SqsParameters)")
	case t.MaxAge != 0 && (t.MaxAge < 60 || t.MaxAge > 86400):
		return invalid("MaximumEventAgeInSeconds %d is not between 60 and 86400", t.MaxAge)
	case t.MaxRetries != nil && (*t.MaxRetries < 0 || *t.MaxRetries > 185):
		return invalid("MaximumRetryAttempts %d is not between 0 and 185", *t.MaxRetries)
	}
	if t.DeadLetter != "" {
		if letters, err := parseTarget(t.DeadLetter); err != nil || letters.kind != queueTarget || b.Send == nil || strings.HasSuffix(t.DeadLetter, ".fifo") {
			return invalid("DeadLetterConfig %s is not the ARN of a standard queue that there is", t.DeadLetter)
		}
	}
	return t.Input.Check()
}

// Kinds of targets.
const (
	functionTarget = iota
	topicTarget
	queueTarget
	busTarget
)

// destination is where a target's ARN points to.
type destination struct {
	kind int
	name string // of a function: name or name:qualifier; of a bus its name
}

// parseTarget reads a target's ARN, which is of this account.
func parseTarget(target string) (destination, error) {
	a, err := arn.Parse(target)
	if err == nil && a.Account == arn.Account {
		switch a.Service {
		case "lambda":
			if name, ok := cutResource(a, "function:"); ok {
				return destination{functionTarget, name}, nil
			}
		case "sns":
			if !strings.Contains(a.Resource, ":") {
				return destination{topicTarget, a.Resource}, nil
			}
		case "sqs":
			return destination{queueTarget, a.Resource}, nil
		case "events":
			if name, ok := cutResource(a, "event-bus/"); ok {
				return destination{busTarget, name}, nil
			}
		}
	}
	return destination{}, invalid("%q is not the ARN of a function, a topic, a queue or an event bus of this account; other targets are not supported here", target)
}

func cutResource(a arn.ARN, prefix string) (name string, ok bool) {
	name, ok = strings.CutPrefix(a.Resource, prefix)
	return name, ok && name != ""
}
