package topic_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
)

// editor keeps what stacks declare and puts changes in force, as deployments do.
type editor struct {
	mu     sync.Mutex
	to     *topic.Topics
	topics map[string][]topic.Topic
	subs   map[string][]topic.Subscription
}

func (e *editor) EditTopics(ctx context.Context, stack string, change func([]topic.Topic, []topic.Subscription) ([]topic.Topic, []topic.Subscription, error)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	topics, subs, err := change(slices.Clone(e.topics[stack]), slices.Clone(e.subs[stack]))
	if err != nil {
		return err
	}
	if err := e.to.Replace(ctx, stack, topics, subs); err != nil {
		return err
	}
	e.topics[stack], e.subs[stack] = topics, subs
	return nil
}

// deploy declares what a serverless.yml would.
func (e *editor) deploy(t *testing.T, stack string, topics []topic.Topic, subs []topic.Subscription) {
	t.Helper()
	err := e.EditTopics(t.Context(), stack, func([]topic.Topic, []topic.Subscription) ([]topic.Topic, []topic.Subscription, error) {
		return topics, subs, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var identity = sync.OnceValues(func() (*topic.Identity, error) {
	doc, err := topic.NewIdentity()
	if err != nil {
		return nil, err
	}
	return topic.ParseIdentity(doc)
})

// edited makes topics that calls can change; callers may reach inside.
func edited(t *testing.T, to *topic.Topics) *editor {
	t.Helper()
	id, err := identity()
	if err != nil {
		t.Fatal(err)
	}
	e := &editor{to: to, topics: map[string][]topic.Topic{}, subs: map[string][]topic.Subscription{}}
	to.Editor, to.Identity = e, id
	to.MayReachInside = func(context.Context) bool { return true }
	return e
}

// must is for calls that have to succeed.
func must[In, Out any](t *testing.T, call func(context.Context, In) (Out, error), in In) Out {
	t.Helper()
	out, err := call(t.Context(), in)
	if err != nil {
		t.Fatalf("%+v: %v", in, err)
	}
	return out
}

// refuses expects an error of a code.
func refuses[In, Out any](t *testing.T, call func(context.Context, In) (Out, error), in In, code string) {
	t.Helper()
	if _, err := call(t.Context(), in); err == nil || fault.CodeOf(err) != code {
		t.Errorf("%+v: got %v (%s), want %s", in, err, fault.CodeOf(err), code)
	}
}

func create(t *testing.T, to *topic.Topics, name string) string {
	t.Helper()
	return must(t, to.CreateTopic, topic.CreateTopicInput{Name: name}).TopicArn
}
