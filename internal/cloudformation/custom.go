package cloudformation

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// customRequest is what the function of a custom resource is invoked with.
type customRequest struct {
	RequestType           string
	ServiceToken          string
	ResponseURL           string
	StackId               string
	RequestId             string
	LogicalResourceId     string
	PhysicalResourceId    string `json:",omitempty"`
	ResourceType          string
	ResourceProperties    map[string]any
	OldResourceProperties map[string]any `json:",omitempty"`
}

// Answer is what a function says of a custom resource.
type Answer struct {
	Status             string
	Reason             string
	StackId            string
	RequestId          string
	LogicalResourceId  string
	PhysicalResourceId string
	NoEcho             bool
	Data               map[string]any
}

const (
	success       = "SUCCESS"
	customTimeout = time.Hour // unless ServiceTimeout says less
	maxAnswer     = 4096      // bytes, as on AWS
)

// answers are what is awaited of functions, by token.
type answers struct {
	mu      sync.Mutex
	waiting map[string]chan Answer
}

func (a *answers) await() (token string, c chan Answer) {
	token, c = rand.Text()+rand.Text(), make(chan Answer, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[string]chan Answer{}
	}
	a.waiting[token] = c
	return token, c
}

// take is who awaits an answer, which is given once.
func (a *answers) take(token string) (chan Answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.waiting[token]
	delete(a.waiting, token)
	return c, ok
}

// Answer takes what a function sends to the URL that it was given: whoever has it
// may answer, once. fault.NotFound: nothing is awaited there.
func (s *Stacks) Answer(token string, body []byte) error {
	if len(body) > maxAnswer {
		return fault.Coded(fault.TooLarge, "EntityTooLarge", "the answer of a custom resource has at most %d bytes, this one %d", maxAnswer, len(body))
	}
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		a = Answer{Status: failedStatus, Reason: "Invalid Response object: the answer is not JSON"}
	}
	c, ok := s.awaited.take(token)
	if !ok {
		return fault.Coded(fault.NotFound, "NoSuchKey", "nobody awaits an answer there: it was given before, or came too late")
	}
	c <- a
	return nil
}

// between makes the custom resources that are ready. What their functions are may
// be new too: then what there is of the revision is activated first.
func (c *change) between(ctx context.Context, p *pass, answered map[string]Identity) error {
	if c.unmet(p) {
		if err := c.buckets(ctx, p); err != nil {
			return err
		}
		p.plan.revision.Source = c.stack.Work.Mark
		p.plan.revision.Outputs = c.stack.Outputs
		if _, err := c.Deployer.Deploy(context.WithoutCancel(ctx), p.plan.revision); err != nil {
			return blame(p.resources, err)
		}
	}
	before := byID(c.before)
	for _, r := range p.ready {
		was, there := before[r.ID]
		next := called{resource: r, Action: creating, Request: newUUID()}
		if there && was.Type == r.Type {
			next.Action, next.Old, next.Physical = updating, was.Properties, was.Physical
		}
		err := c.step(ctx, func(t *story) {
			t.of(next.resource, next.Action+inProgress, "")
			t.stack.Work.Called = append(slices.Clone(t.stack.Work.Called), next)
		})
		if err != nil {
			return err
		}
		identity, refused := c.ask(ctx, next)
		if refused != nil && c.base.Err() != nil {
			return refused
		}
		next.Done, next.Physical = true, cmp.Or(identity.Physical, next.Physical)
		err = c.step(ctx, func(t *story) {
			if refused == nil {
				t.of(next.resource, next.Action+complete, "")
			}
			t.stack.Work.settle(next)
		})
		switch {
		case err != nil:
			return err
		case refused != nil:
			return &failure{map[string]string{r.ID: refused.Error()}, fmt.Errorf("%s: %w", r.ID, refused)}
		}
		answered[r.ID] = identity
	}
	return nil
}

// settle notes what came of a request.
func (w *work) settle(done called) {
	w.Called = slices.Clone(w.Called)
	for i := range w.Called {
		if w.Called[i].Request == done.Request {
			w.Called[i] = done
		}
	}
}

// again makes the requests again that had no answer when the platform was killed:
// what they have made has a name that only the function knows.
func (c *change) again(ctx context.Context) error {
	for _, one := range c.stack.Work.Called {
		if one.Done {
			continue
		}
		identity, err := c.ask(ctx, one)
		if err != nil && c.base.Err() != nil {
			return err
		}
		one.Done, one.Physical = true, cmp.Or(identity.Physical, one.Physical)
		if err := c.step(ctx, func(t *story) { t.stack.Work.settle(one) }); err != nil {
			return err
		}
	}
	return nil
}

// unmet reports whether a custom resource is made by a function of this very
// revision that is not active yet as it is to be.
func (c *change) unmet(p *pass) bool {
	active, _ := c.Deployer.Active(c.stack.Name)
	for _, r := range p.ready {
		token := text(r.Properties["ServiceToken"])
		for _, fn := range p.plan.revision.Functions {
			if fn.ARN != token && fn.Name != token {
				continue
			}
			if active == nil || !slices.ContainsFunc(active.Functions, func(f function.Function) bool {
				return f.ARN == fn.ARN && f.Artifact == fn.Artifact && f.Role == fn.Role && f.Handler == fn.Handler && maps.Equal(f.Environment, fn.Environment)
			}) {
				return true
			}
		}
	}
	return false
}

// ask has the function of a custom resource make, change or delete it, and waits
// for its answer.
func (c *change) ask(ctx context.Context, what called) (Identity, error) {
	r, action, old := what.resource, what.Action, what.Old
	token, answer := c.awaited.await()
	defer c.awaited.take(token)
	target := text(r.Properties["ServiceToken"])
	if a, err := arn.Parse(target); err == nil && a.Service != "lambda" {
		return Identity{}, invalid("ServiceToken %s is no function; custom resources of topics are not supported here", target)
	}
	if r.Physical == "" && action == deleting { // its creation was never answered
		r.Physical = c.stack.Name + "-" + r.ID + "-" + newUUID()[:8]
	}
	request := customRequest{
		RequestType: map[string]string{creating: "Create", updating: "Update", deleting: "Delete"}[action], ServiceToken: target, ResponseURL: c.Answers(token),
		StackId: c.stack.ID, RequestId: what.Request, LogicalResourceId: r.ID, PhysicalResourceId: r.Physical, ResourceType: r.Type,
		ResourceProperties: strung(r.Properties).(map[string]any),
	}
	if old != nil {
		request.OldResourceProperties = strung(old).(map[string]any)
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return Identity{}, err
	}
	limit := customTimeout
	if seconds, err := strconv.Atoi(text(r.Properties["ServiceTimeout"])); err == nil && seconds > 0 {
		limit = min(limit, time.Duration(seconds)*time.Second)
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	invoked := make(chan error, 1)
	go func() { invoked <- c.invoke(bounded, function.Invocation{Function: target, Payload: payload}) }()
	for {
		select {
		case a := <-answer:
			return a.identity(r, request)
		case err := <-invoked:
			if err != nil {
				return Identity{}, invalid("CloudFormation did not receive a response from your Custom Resource: %w", err)
			}
			invoked = nil // it has ended well, and may have somebody else answer
		case <-bounded.Done():
			if c.base.Err() != nil {
				return Identity{}, c.base.Err()
			}
			return Identity{}, invalid("CloudFormation did not receive a response from your Custom Resource within %v. Please check your logs for requestId [%s]", limit, request.RequestId)
		}
	}
}

// invoke is an error when the function could not be run, or failed.
func (c *change) invoke(ctx context.Context, inv function.Invocation) error {
	result, err := c.Functions.Invoke(ctx, inv)
	if err == nil && result.FunctionError != "" {
		err = fmt.Errorf("the function failed: %s", result.Payload)
	}
	return err
}

// identity is what a function has made, if it has.
func (a *Answer) identity(r resource, asked customRequest) (Identity, error) {
	switch {
	case a.Status != success && a.Reason != "":
		return Identity{}, invalid("Received response status [FAILED] from custom resource. Message returned: %s", a.Reason)
	case a.Status != success:
		return Identity{}, invalid("Received response status [FAILED] from custom resource, without a reason")
	case a.PhysicalResourceId == "" && r.Physical == "" && asked.RequestType == "Create":
		return Identity{}, invalid("Invalid PhysicalResourceId: the function's answer has none")
	}
	identity := Identity{Physical: cmp.Or(a.PhysicalResourceId, r.Physical), Attributes: map[string]string{}}
	for name, v := range a.Data {
		flatten(identity.Attributes, name, v)
	}
	return identity, nil
}

// flatten adds an attribute, and what is in it by dotted names.
func flatten(into map[string]string, name string, v any) {
	if m, ok := v.(map[string]any); ok {
		for key, inner := range m {
			flatten(into, name+"."+key, inner)
		}
		return
	}
	into[name] = text(v)
}

// strung is a value as functions get it: numbers and booleans are text.
func strung(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, inner := range v {
			m[key] = strung(inner)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = strung(item)
		}
		return list
	case nil:
		return nil
	}
	return text(v)
}
