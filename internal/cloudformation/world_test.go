package cloudformation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

// world is what stacks live in. It outlives them, as disks outlive a platform.
type world struct {
	bucket, events storetest.Memory
	*deployments
	*shelf
	*journal
	*functions

	t   *testing.T
	end func() // the present platform
	*cloudformation.Stacks
}

// clear seals nothing.
type clear struct{}

func (clear) Seal(plaintext, context []byte) ([]byte, error) {
	return append(bytes.Clone(context), plaintext...), nil
}

func (clear) Open(sealed, context []byte) ([]byte, error) {
	doc, ok := bytes.CutPrefix(sealed, context)
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	return doc, nil
}

// deployments are the revisions that were deployed.
type deployments struct {
	mu     sync.Mutex
	n      int
	all    map[string]*deploy.Revision // by id
	active map[string]*deploy.Revision // by stack
	refuse func(r *deploy.Revision) error
	shift  *deploy.Shift
}

func (d *deployments) Deploy(_ context.Context, r *deploy.Revision) (*deploy.Revision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		if err := d.refuse(r); err != nil {
			return nil, err
		}
	}
	d.n++
	next := *r
	next.ID = fmt.Sprint("r", d.n)
	d.all[next.ID], d.active[next.Stack] = &next, &next
	return &next, nil
}

func (d *deployments) Preview(context.Context, *deploy.Revision) (*deploy.Diff, error) {
	return &deploy.Diff{}, nil
}

func (d *deployments) Shifting(string) *deploy.Shift {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shift
}

func (d *deployments) Remove(_ context.Context, stack string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.active, stack)
	return nil
}

func (d *deployments) Active(stack string) (*deploy.Revision, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.active[stack]
	return r, ok
}

func (d *deployments) List() map[string]*deploy.Revision {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := map[string]*deploy.Revision{}
	for stack, r := range d.active {
		list[stack] = r
	}
	return list
}

func (d *deployments) Recall(_ context.Context, _, id string) (*deploy.Revision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.all[id]; r != nil {
		return r, nil
	}
	return nil, fault.Errorf(fault.NotFound, "no revision %s", id)
}

// topics are the names of a stack's topics that are active.
func (d *deployments) topics(stack string) string {
	r, ok := d.Active(stack)
	if !ok {
		return "no stack"
	}
	var list []string
	for _, t := range r.Topics {
		list = append(list, strings.TrimSpace(t.Name+" "+t.DisplayName))
	}
	return strings.Join(list, ", ")
}

// shelf is buckets with objects in memory.
type shelf struct {
	mu      sync.Mutex
	buckets map[string]map[string]string
}

func (s *shelf) Get(_ context.Context, bucket, key string, _, _ int64) (engine.Object, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, ok := s.buckets[bucket][key]
	if !ok {
		return engine.Object{}, nil, fault.Errorf(fault.NotFound, "no object %s/%s", bucket, key)
	}
	return engine.Object{Size: int64(len(doc))}, io.NopCloser(strings.NewReader(doc)), nil
}

func (s *shelf) HasBucket(_ context.Context, bucket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] == nil {
		return fault.Errorf(fault.NotFound, "no bucket %s", bucket)
	}
	return nil
}

func (s *shelf) CreateBucket(_ context.Context, bucket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] == nil {
		s.buckets[bucket] = map[string]string{}
	}
	return nil
}

func (s *shelf) DeleteBucket(_ context.Context, bucket string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buckets[bucket]) > 0 {
		return fault.Errorf(fault.Conflict, "The bucket you tried to delete is not empty: %s", bucket)
	}
	delete(s.buckets, bucket)
	return nil
}

// journal is log groups, of which all exist but "missing".
type journal struct {
	mu      sync.Mutex
	deleted []string
}

func (j *journal) DeleteLogGroup(_ context.Context, in logs.LogGroupNameInput) (logs.None, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch in.LogGroupName {
	case "missing":
		return logs.None{}, fault.Coded(fault.NotFound, "ResourceNotFoundException", "The specified log group does not exist.")
	case "protected":
		return logs.None{}, fault.Coded(fault.Invalid, "ValidationException", "The log group is protected from deletion.")
	}
	j.deleted = append(j.deleted, in.LogGroupName)
	return logs.None{}, nil
}

// gone are the groups that were deleted since it was asked last.
func (j *journal) gone() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := strings.Join(j.deleted, " ")
	j.deleted = nil
	return list
}

// functions make custom resources.
type functions struct {
	mu     sync.Mutex
	called []string
	// does says what the function answers, or fails.
	does   func(r map[string]any) (cloudformation.Answer, error)
	answer func(token string, body []byte) error
}

func (f *functions) Invoke(ctx context.Context, inv function.Invocation) (function.Result, error) {
	var r map[string]any
	if err := json.Unmarshal(inv.Payload, &r); err != nil {
		return function.Result{}, err
	}
	properties, _ := r["ResourceProperties"].(map[string]any)
	old, _ := r["OldResourceProperties"].(map[string]any)
	f.mu.Lock()
	f.called = append(f.called, fmt.Sprint(r["RequestType"], " ", r["LogicalResourceId"], " ", r["PhysicalResourceId"], " ", properties["Size"], " was ", old["Size"]))
	f.mu.Unlock()
	a, err := f.does(r)
	if err != nil || a.Status == "" {
		return function.Result{}, err
	}
	doc, err := json.Marshal(a)
	if err != nil {
		return function.Result{}, err
	}
	return function.Result{Payload: []byte("null")}, f.answer(strings.TrimPrefix(r["ResponseURL"].(string), "test:"), doc)
}

func (f *functions) calls() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := strings.Join(f.called, "\n")
	f.called = nil
	return list
}

// platform is what kinds would ask.
type platform struct{ *deployments }

func (platform) Artifact(context.Context, string, string, string) (string, int64, error) {
	return "", 0, errors.New("no code here")
}

func (platform) Store(context.Context, []byte) (string, int64, error) {
	return "", 0, errors.New("no code here")
}

func (platform) NextVersion(context.Context, string) (int, function.Function, error) {
	return 1, function.Function{}, nil
}

func (platform) Secret() string { return "secret" }

// allowed allows everything but the bucket "private".
type allowed struct{}

func (allowed) Authorize(_ context.Context, action, resource string, _ map[string][]string) error {
	if strings.HasPrefix(resource, "arn:aws:s3:::private/") {
		return fault.Coded(fault.Denied, "AccessDeniedException", "not allowed: %s on %s", action, resource)
	}
	return nil
}

func newWorld(t *testing.T) *world {
	w := &world{
		t:           t,
		deployments: &deployments{all: map[string]*deploy.Revision{}, active: map[string]*deploy.Revision{}},
		shelf:       &shelf{buckets: map[string]map[string]string{}},
		journal:     &journal{},
		functions:   &functions{},
	}
	w.start()
	return w
}

// start starts a platform on what there is.
func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.Stacks = (&cloudformation.Stacks{
		Bucket: &w.bucket, Events: &w.events, Sealer: clear{}, Deployer: w.deployments, Platform: platform{w.deployments}, Objects: w.shelf, Logs: w.journal,
		Authorizer: allowed{}, Functions: w.functions, Region: "us-east-1", Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
		Parameter: stored, Answers: func(token string) string { return "test:" + token },
	}).Simple()
	w.functions.answer = w.Stacks.Answer
	if err := w.Stacks.Load(ctx); err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	run := w.Stacks
	go func() {
		defer close(done)
		if err := run.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.end = func() {
		cancel()
		<-done
	}
}

// in runs a test in a bubble.
func in(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		test(t, w)
	})
}

// must fails the test on an error, and waits until what it began is done.
func must[Out any](t *testing.T) func(out Out, err error) Out {
	return func(out Out, err error) Out {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		return out
	}
}

// create makes a stack of a template.
func (w *world) create(t *testing.T, name, template string) {
	t.Helper()
	must[cloudformation.StackOutput](t)(w.CreateStack(t.Context(), cloudformation.CreateStackInput{Request: cloudformation.Request{StackName: name, TemplateBody: template}}))
}

func (w *world) update(t *testing.T, name, template string) {
	t.Helper()
	must[cloudformation.StackOutput](t)(w.UpdateStack(t.Context(), cloudformation.UpdateStackInput{Request: cloudformation.Request{StackName: name, TemplateBody: template}}))
}

// status is that of a stack.
func (w *world) status(t *testing.T, name string) string {
	t.Helper()
	out, err := w.DescribeStacks(t.Context(), cloudformation.DescribeStacksInput{StackName: name})
	if err != nil {
		return err.Error()
	}
	return out.Stacks[0].StackStatus
}

// story is what happened to a stack, the oldest first, a line each.
func (w *world) story(t *testing.T, name string) string {
	t.Helper()
	var lines []string
	in := cloudformation.DescribeStackEventsInput{StackName: name}
	for {
		out, err := w.DescribeStackEvents(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.StackEvents {
			line := e.LogicalResourceId + " " + e.ResourceStatus
			if e.ResourceStatusReason != "" && e.ResourceStatusReason != "User Initiated" {
				line += ": " + e.ResourceStatusReason
			}
			lines = append([]string{line}, lines...)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return strings.Join(lines, "\n") + "\n"
		}
	}
}
