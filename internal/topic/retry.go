package topic

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// plan says how often and when a delivery to an endpoint outside is tried again.
// The names are SNS's. Retries come in four phases: at once, MinDelayTarget apart,
// from there to MaxDelayTarget as BackoffFunction grows, MaxDelayTarget apart.
type plan struct {
	MinDelayTarget     int    `json:"minDelayTarget"` // seconds
	MaxDelayTarget     int    `json:"maxDelayTarget"`
	NumRetries         int    `json:"numRetries"` // of all phases
	NumNoDelayRetries  int    `json:"numNoDelayRetries"`
	NumMinDelayRetries int    `json:"numMinDelayRetries"`
	NumMaxDelayRetries int    `json:"numMaxDelayRetries"`
	BackoffFunction    string `json:"backoffFunction"`

	perSecond   int    // 0: no limit
	contentType string // of the request; "": SNS's
	only        bool   // subscriptions have no plans of their own
}

// Plans of SNS.
var (
	defaultPlan = plan{MinDelayTarget: 20, MaxDelayTarget: 20, NumRetries: 3, BackoffFunction: "linear"}
	mailPlan    = plan{MinDelayTarget: 10, MaxDelayTarget: 600, NumRetries: 50, NumMinDelayRetries: 2, NumMaxDelayRetries: 38, BackoffFunction: "exponential"}
)

// Bounds of plans.
const (
	maxRetries   = 100
	maxRetryTime = 3600 // seconds, of all retries
)

var contentTypes = []string{
	"text/plain", "text/html", "text/css", "text/xml", "application/json", "application/xml", "application/soap+xml",
	"application/octet-stream", "application/x-www-form-urlencoded",
}

type throttle struct {
	MaxReceivesPerSecond int `json:"maxReceivesPerSecond"`
}

type request struct {
	HeaderContentType string `json:"headerContentType"`
}

// parseDelivery reads DeliveryPolicy of a subscription over what holds otherwise.
func parseDelivery(text string, p plan) (plan, error) {
	if text == "" {
		return p, nil
	}
	doc := struct {
		Healthy  json.RawMessage `json:"healthyRetryPolicy"`
		Sickly   any             `json:"sicklyRetryPolicy"` // of old, with guaranteed; without effect
		Throttle *throttle       `json:"throttlePolicy"`
		Request  *request        `json:"requestPolicy"`
		Promised bool            `json:"guaranteed"`
	}{}
	if err := strict(text, &doc); err != nil {
		return p, err
	}
	return p.with(doc.Healthy, doc.Throttle, doc.Request)
}

// parseTopicDelivery reads DeliveryPolicy of a topic.
func parseTopicDelivery(text string) (plan, error) {
	if text == "" {
		return defaultPlan, nil
	}
	var doc struct {
		HTTP struct {
			Healthy  json.RawMessage `json:"defaultHealthyRetryPolicy"`
			Sickly   any             `json:"defaultSicklyRetryPolicy"`
			Throttle *throttle       `json:"defaultThrottlePolicy"`
			Request  *request        `json:"defaultRequestPolicy"`
			Only     bool            `json:"disableSubscriptionOverrides"`
		} `json:"http"`
	}
	if err := strict(text, &doc); err != nil {
		return defaultPlan, err
	}
	p, err := defaultPlan.with(doc.HTTP.Healthy, doc.HTTP.Throttle, doc.HTTP.Request)
	p.only = doc.HTTP.Only
	return p, err
}

func strict(text string, into any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// with is the plan with what a policy says instead.
func (p plan) with(healthy json.RawMessage, t *throttle, r *request) (plan, error) {
	if len(healthy) > 0 && string(healthy) != "null" {
		p = plan{MinDelayTarget: 20, MaxDelayTarget: 20, NumRetries: 3, BackoffFunction: "linear", perSecond: p.perSecond, contentType: p.contentType}
		if err := strict(string(healthy), &p); err != nil {
			return p, err
		}
	}
	if t != nil {
		if t.MaxReceivesPerSecond < 1 {
			return p, fmt.Errorf("maxReceivesPerSecond %d is less than 1", t.MaxReceivesPerSecond)
		}
		p.perSecond = t.MaxReceivesPerSecond
	}
	if r != nil {
		base, _, _ := strings.Cut(r.HeaderContentType, ";")
		if !slices.Contains(contentTypes, strings.TrimSpace(base)) || strings.ContainsAny(r.HeaderContentType, "\r\n") {
			return p, fmt.Errorf("headerContentType %q is none of %s", r.HeaderContentType, strings.Join(contentTypes, ", "))
		}
		p.contentType = r.HeaderContentType
	}
	return p, p.check()
}

func (p plan) check() error {
	phases := p.NumNoDelayRetries + p.NumMinDelayRetries + p.NumMaxDelayRetries
	switch {
	case p.MinDelayTarget < 1 || p.MaxDelayTarget > maxRetryTime || p.MinDelayTarget > p.MaxDelayTarget:
		return fmt.Errorf("minDelayTarget %d and maxDelayTarget %d must be 1 to %d seconds, the second no less than the first", p.MinDelayTarget, p.MaxDelayTarget, maxRetryTime)
	case p.NumRetries < 0 || p.NumRetries > maxRetries:
		return fmt.Errorf("numRetries %d is not 0 to %d", p.NumRetries, maxRetries)
	case p.NumNoDelayRetries < 0 || p.NumMinDelayRetries < 0 || p.NumMaxDelayRetries < 0 || phases > p.NumRetries:
		return fmt.Errorf("numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries must be 0 or more and together at most numRetries, %d", p.NumRetries)
	case !slices.Contains([]string{"linear", "arithmetic", "geometric", "exponential"}, p.BackoffFunction):
		return fmt.Errorf("backoffFunction %q is none of linear, arithmetic, geometric, exponential", p.BackoffFunction)
	}
	var total time.Duration
	for n := range p.NumRetries {
		total += p.delay(n)
	}
	if total > maxRetryTime*time.Second {
		return fmt.Errorf("all retries take %v, at most %v", total.Round(time.Second), maxRetryTime*time.Second)
	}
	return nil
}

// delay is how long to wait before retry n, which counts from 0.
func (p plan) delay(n int) time.Duration {
	low, high := float64(p.MinDelayTarget), float64(p.MaxDelayTarget)
	backoff := p.NumRetries - p.NumNoDelayRetries - p.NumMinDelayRetries - p.NumMaxDelayRetries
	n -= p.NumNoDelayRetries
	if n < 0 {
		return 0
	}
	n -= p.NumMinDelayRetries
	if n < 0 {
		return seconds(low)
	}
	if n >= backoff {
		return seconds(high)
	}
	if backoff == 1 {
		return seconds(low)
	}
	x := float64(n) / float64(backoff-1)
	switch p.BackoffFunction {
	case "arithmetic":
		x *= x
	case "geometric":
		x = x * x * x
	case "exponential":
		return seconds(low * math.Pow(high/low, x))
	}
	return seconds(low + (high-low)*x)
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

// text is the plan as EffectiveDeliveryPolicy of a topic has it.
func (p plan) text() string {
	http := map[string]any{"defaultHealthyRetryPolicy": p, "disableSubscriptionOverrides": p.only}
	p.rest(func(name string, v any) { http["default"+strings.ToUpper(name[:1])+name[1:]] = v })
	return marshal(map[string]any{"http": http})
}

// ownText is the plan as EffectiveDeliveryPolicy of a subscription has it.
func (p plan) ownText() string {
	all := map[string]any{"healthyRetryPolicy": p, "sicklyRetryPolicy": nil, "guaranteed": false}
	p.rest(func(name string, v any) { all[name] = v })
	return marshal(all)
}

func (p plan) rest(add func(name string, v any)) {
	if p.perSecond > 0 {
		add("throttlePolicy", throttle{p.perSecond})
	}
	if p.contentType != "" {
		add("requestPolicy", request{p.contentType})
	}
}

// planFor is what holds for a subscription of a topic.
func planFor(topic *Topic, sub Subscription) plan {
	switch sub.protocol() {
	case ProtocolEmail, ProtocolEmailJSON:
		return mailPlan
	}
	p, _ := parseTopicDelivery(topic.DeliveryPolicy) // what is stored was checked
	if p.only {
		return p
	}
	p, _ = parseDelivery(sub.DeliveryPolicy, p)
	return p
}
