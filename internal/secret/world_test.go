package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

const (
	account = "000000000000"
	prefix  = "arn:aws:ssm:us-east-1:" + account + ":parameter/"
)

// world is the parameters and their keys over two buckets. ctx is a user whom
// nothing keeps from calling.
type world struct {
	*secret.Parameters
	keys      *kms.Keys
	ctx       context.Context
	authority *authority
	log       *bytes.Buffer
}

// buckets are where a world keeps what it has.
type buckets struct{ parameters, keys store.Bucket }

func inMemory() buckets { return buckets{&storetest.Memory{}, &storetest.Memory{}} }

// authority decides by lists of "ACTION RESOURCE", patterns of package path that
// match within a level.
type authority struct {
	kmstest.Authority
	allow, forbid []string
}

func (a *authority) Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error {
	if len(a.Callers(ctx)) > 0 && !a.Forbids(ctx, action, resource, conditions) && listed(a.allow, action, resource) {
		return nil
	}
	return fault.Coded(fault.Denied, "AccessDeniedException", "%v may not %s on %s", a.Callers(ctx), action, resource)
}

func (a *authority) Forbids(_ context.Context, action, resource string, _ map[string][]string) bool {
	return listed(a.forbid, action, resource)
}

func listed(patterns []string, action, resource string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, action+" "+resource)
		return ok && err == nil
	})
}

func rootKey(t *testing.T, current, previous byte) *root.Root {
	t.Helper()
	text := func(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	v := root.Values{Name: "KEY", Current: text(current)}
	if previous != 0 {
		v.Previous = text(previous)
	}
	r, err := root.Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func start(t *testing.T, r *root.Root, b buckets) world {
	t.Helper()
	kept, err := root.OpenKept(t.Context(), r, b.keys, "store")
	if err != nil {
		t.Fatal(err)
	}
	a, log := &authority{}, &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	keys := &kms.Keys{Root: r, Kept: kept, Bucket: b.keys, Authority: a, Region: "us-east-1", Log: logger}
	w := world{
		&secret.Parameters{Kept: kept, Bucket: b.parameters, Keys: keys, Authority: a, Region: "us-east-1", Log: logger},
		keys, kmstest.As(t.Context(), kmstest.User("ann")), a, log,
	}
	if err := keys.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func newWorld(t *testing.T) world {
	t.Helper()
	return start(t, rootKey(t, 1, 0), inMemory())
}

func (w world) put(t *testing.T, in secret.PutParameterInput) int64 {
	t.Helper()
	if in.Type == "" && !in.Overwrite {
		in.Type = "String"
	}
	return must[secret.PutParameterOutput](t)(w.PutParameter(w.ctx, in)).Version
}

// all puts parameters that have their own names as values.
func (w world) all(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		w.put(t, secret.PutParameterInput{Name: name, Value: name})
	}
}

// value is the value of a parameter, in clear.
func (w world) value(t *testing.T, name string) string {
	t.Helper()
	return must[secret.GetParameterOutput](t)(w.GetParameter(w.ctx, secret.GetParameterInput{Name: name, WithDecryption: true})).Parameter.Value
}

// names lists what is below a path.
func (w world) names(t *testing.T, in secret.GetParametersByPathInput) []string {
	t.Helper()
	names := []string{}
	for {
		out := must[secret.GetParametersByPathOutput](t)(w.GetParametersByPath(w.ctx, in))
		for _, p := range out.Parameters {
			names = append(names, p.Name)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return names
		}
	}
}

// described lists what filters choose.
func (w world) described(t *testing.T, filters ...secret.ParameterFilter) []string {
	t.Helper()
	names := []string{}
	in := secret.DescribeParametersInput{ParameterFilters: filters}
	for {
		out := must[secret.DescribeParametersOutput](t)(w.DescribeParameters(w.ctx, in))
		for _, p := range out.Parameters {
			names = append(names, p.Name)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return names
		}
	}
}

func must[T any](t *testing.T) func(out T, err error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func code[T any](_ T, err error) string {
	if err == nil {
		return "no error"
	}
	return fault.CodeOf(err)
}

func ptr[T any](v T) *T { return &v }

func long(n int) string { return strings.Repeat("x", n) }
